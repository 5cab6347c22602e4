// SPDX-License-Identifier: Apache-2.0
// Whose key a log is held against: stated, of the policy, or of the configuration. Never out of what is to be
// checked, which could bring its own.
import { readFileSync } from 'node:fs';
import { parseTlogPolicy, type TlogPolicy, toVerifierKeyText } from '@bailiwick/ledger/verify';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';

/** The policy that was stated, if one was. */
export function readPolicy(stated: unknown): TlogPolicy | undefined {
  return typeof stated === 'string' ? parseTlogPolicy(readFileSync(stated)) : undefined;
}

/** The verifier key of a log, by its origin. @throws {CliError} `CLI_USAGE_WRONG` */
export async function findLogKey(
  context: Context,
  options: {
    readonly origin: string;
    readonly stated: unknown;
    readonly policy: TlogPolicy | undefined;
  },
): Promise<string> {
  const { origin, stated, policy } = options;
  if (typeof stated === 'string') return readFileSync(stated, 'utf8').trim();
  const log = policy?.logs.find(({ key }) => key.name === origin);
  if (log !== undefined) return toVerifierKeyText(log.key);
  const { cells } = await context.config();
  const found = Object.values(cells).find(({ cell }) => origin.startsWith(`${cell}/`))?.ledgerKey;
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', `the configuration has no key for the log \`${origin}\``, {
    hint: 'give the verifier key you got from elsewhere with `--key <file>`',
  });
}
