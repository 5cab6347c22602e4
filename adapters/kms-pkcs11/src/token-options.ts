// SPDX-License-Identifier: Apache-2.0
// What the token process is told: names and paths, never a secret.

export interface TokenOptions {
  /** The PKCS#11 library. */
  readonly library: string;
  readonly tokenLabel: string;
  /** Holds the user's PIN; private to this account. */
  readonly pinFile: string;
}

/** Reads the options from the process's own argument. Throws when one is missing. */
export function parseTokenOptions(text: string): TokenOptions {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null)
    throw new Error('token options are not an object');
  const options = value as Readonly<Record<string, unknown>>;
  const read = (key: string): string => {
    const item = options[key];
    if (typeof item !== 'string' || item === '') throw new Error(`token options lack \`${key}\``);
    return item;
  };
  return { library: read('library'), tokenLabel: read('tokenLabel'), pinFile: read('pinFile') };
}
