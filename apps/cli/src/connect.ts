// SPDX-License-Identifier: Apache-2.0
// From the configuration to a client. Keys are read here, used, and never printed.
import { readFileSync } from 'node:fs';
import { type AccountCredential, type Client, createClient } from '@bailiwick/sdk';
import type { ClientConfig, ConfiguredAccount } from './config.ts';
import { CliError } from './errors.ts';

/** A file's text, or one clear line. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new CliError('CLI_FILE_UNREADABLE', `cannot read ${what} \`${file}\` (${reason})`, {
      cause: error,
    });
  }
}

/** Credentials of an account, one per residency. */
export function toCredentials(account: ConfiguredAccount): Record<string, AccountCredential> {
  const key = readText(account.keyFile, 'the key of the account');
  return Object.fromEntries(
    Object.entries(account.ids).map(([residency, id]) => [residency, { account: id, key }]),
  );
}

/** Opens a client for the account that the configuration chose, or for another one of it. */
export function openClient(
  config: ClientConfig,
  {
    account = config.account.value,
    deadlineMs,
  }: { readonly account?: ConfiguredAccount; readonly deadlineMs?: number } = {},
): Client {
  const ca = config.caFile === undefined ? undefined : readText(config.caFile, 'the CA bundle');
  return createClient({
    account: toCredentials(account),
    ...(ca === undefined ? {} : { ca }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(config.directory === undefined ? { cells: config.cells } : { directory: config.directory }),
  });
}
