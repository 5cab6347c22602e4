// SPDX-License-Identifier: Apache-2.0
// One line of JSON for each request: who, what for, which key, what came of it. Plaintext, ciphertext and
// signatures are never in it. Callers' words are cut, and JSON quotes them.
import { createWriteStream, type WriteStream } from 'node:fs';
import { LOGGED_LENGTH_MAX } from './limits.ts';

export interface AccessRecord {
  readonly operation: string;
  readonly store?: string | undefined;
  readonly key?: string | undefined;
  readonly client?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly region?: string | undefined;
  readonly kmsRequestId?: string | undefined;
  readonly kmsOperation?: string | undefined;
  readonly principal?: string | undefined;
  readonly kmsKey?: string | undefined;
  readonly viaService?: string | undefined;
  /** Of our own signed header; undefined when it was not covered by the signature. */
  readonly occasion?: string | undefined;
  /** Of the authenticated context, when it is one of ours. */
  readonly tenant?: string | undefined;
  readonly cell?: string | undefined;
  readonly wrapped?: string | undefined;
  readonly status: number;
  readonly errorName?: string | undefined;
  readonly reason?: string | undefined;
  readonly durationMs: number;
}

export interface AccessLog {
  write(record: AccessRecord): void;
  say(event: string, fields?: Readonly<Record<string, string | number>>): void;
  close(): Promise<void>;
}

/** To a file that is appended to (0600), or to standard error. */
export function openAccessLog(file: string | undefined): AccessLog {
  const stream: WriteStream | undefined =
    file === undefined ? undefined : createWriteStream(file, { flags: 'a', mode: 0o600 });
  const out = stream ?? process.stderr;
  const put = (fields: Readonly<Record<string, unknown>>): void => {
    const line = { at: new Date().toISOString(), ...fields };
    const cut = (_key: string, value: unknown): unknown =>
      typeof value === 'string' ? value.slice(0, LOGGED_LENGTH_MAX) : value;
    out.write(`${JSON.stringify(line, cut)}\n`);
  };
  return {
    write: (record) => put({ event: 'request', ...record }),
    say: (event, fields = {}) => put({ event, ...fields }),
    close: () =>
      new Promise((resolve) => {
        if (stream === undefined) resolve();
        else stream.end(resolve);
      }),
  };
}
