// SPDX-License-Identifier: Apache-2.0
// `bailiwick account create`: an account with a key pair of its own. The private key never leaves this
// machine; the cell gets the public half.
import { createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Account, AccountSchema, checkWith } from '@bailiwick/contracts';
import { toPublicKeyText } from '@bailiwick/keys';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { openConfiguredOperator, putAccounts } from '../operator.ts';
import { argument, toList } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick account create <residency>`. */
export async function runAccountCreate(context: Context, { args, options }: Input): Promise<void> {
  const config = await context.config();
  const residency = argument(args, 0);
  const cell = config.cells[residency];
  if (cell === undefined) {
    throw new CliError('CLI_USAGE_WRONG', `the configuration names no cell of \`${residency}\``);
  }
  const purposes = toList(String(options['purposes']));
  const { privateKey } = generateKeyPairSync('ed25519');
  const place: unknown = options['place'];
  const account = parseAccount({
    account: randomUUID(),
    kind: options['kind'],
    role: options['role'],
    employer: options['employer'],
    assurance: options['assurance'],
    place: typeof place === 'string' ? place : toPlace(residency),
    purposes,
    ...(purposes[0] === undefined ? {} : { defaultPurpose: purposes[0] }),
    publicKeys: [toPublicKeyText(createPublicKey(privateKey))],
  });
  const keyFile = path.resolve(String(options['keyFile']));
  writeKey(keyFile, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  await putAccounts(operator.cell(cell), { tenant: config.tenant.value.id, accounts: [account] });
  const value = { v: 1, account: account.account, residency, keyFile };
  context.output.result(value, () => `${account.account}\nkey: ${keyFile}`);
}

/** Names are the charter's: the cell checks them again. */
function parseAccount(value: unknown): Account {
  return checkWith(AccountSchema, value, 'account') as Account;
}

/** Where the machines of a residency stand, as far as its name says. */
function toPlace(residency: string): string {
  const [first = '', second = ''] = residency.split('-');
  return first === 'eu' ? second : first;
}

function writeKey(file: string, pem: string): void {
  try {
    // `wx`: a key that is there is never replaced.
    writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `cannot write the key file \`${file}\``, {
      hint: 'it must not exist yet, in a directory of yours',
      cause,
    });
  }
}
