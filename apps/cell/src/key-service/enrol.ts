// SPDX-License-Identifier: Apache-2.0
// For the operator of a cell, on the key service's machine (`bailiwick key-provider`, `bailiwick
// key-approver`): names a tenant's provider, after asking it whether it can do what it will be asked, and
// pins who signs for the tenant's keys. Prints one object of JSON.
//   enrol.ts provider <name> --config <cell.yaml> --tenant <id> (--enrolment <file> --secret-file <file> |
//     --provider <file>) [--home] [--with-place-key]
//   enrol.ts approver <name> --config <cell.yaml> --tenant <id> --key <base64>
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import type { CellConfig, KeyProviderConfig } from '@bailiwick/contracts';
import {
  CodedError,
  createUuidV7,
  parseKeyId,
  parseTenantId,
  type TenantId,
} from '@bailiwick/kernel';
import { createKey, KeysError } from '@bailiwick/keys';
import { openIdentity } from '@bailiwick/pki';
import { parse } from 'yaml';
import { loadCellConfig } from '../config.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { parseCustodyText } from './providers/custody-files.ts';
import {
  addApprover,
  addProvider,
  assertNameFree,
  parseEnrolment,
  storeEnrolment,
  type TenantProvider,
} from './providers/edit-custody.ts';
import { openProvider } from './providers/open-provider.ts';

class UsageError extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    config: { type: 'string' },
    tenant: { type: 'string' },
    enrolment: { type: 'string' },
    'secret-file': { type: 'string' },
    provider: { type: 'string' },
    key: { type: 'string' },
    home: { type: 'boolean', default: false },
    'with-place-key': { type: 'boolean', default: false },
  },
});

function need(name: 'config' | 'tenant' | 'key'): string {
  const value = values[name];
  if (value === undefined) throw new UsageError(`expected \`--${name}\``);
  return value;
}

interface Place {
  readonly config: CellConfig;
  readonly directory: string;
  readonly tenantId: TenantId;
}

function openPlace(): Place {
  const { config } = loadCellConfig({ file: need('config'), environment: process.env });
  const directory = config.keyService.custody?.directory;
  if (directory === undefined) throw new UsageError('the cell has no `keyService.custody`');
  return { config, directory, tenantId: parseTenantId(need('tenant')) };
}

function readProvider({ directory, tenantId }: Place, name: string): TenantProvider {
  const { enrolment, 'secret-file': secretFile, provider } = values;
  if (provider !== undefined) return parse(readFileSync(provider, 'utf8')) as TenantProvider;
  if (enrolment === undefined || secretFile === undefined) {
    throw new UsageError('expected `--enrolment` and `--secret-file`, or `--provider`');
  }
  const secret = readFileSync(secretFile);
  try {
    const given = { name, enrolment: parseEnrolment(readFileSync(enrolment, 'utf8')), secret };
    return storeEnrolment({ directory, tenantId }, given);
  } finally {
    secret.fill(0);
  }
}

/** Has the provider wrap and unwrap a key that is for nothing, as it will be asked from now on. */
async function probe(
  { config, directory, tenantId }: Place,
  provider: TenantProvider,
): Promise<void> {
  const files = config.keyService.identity ?? config.identity;
  const identity = openIdentity(files);
  const text = JSON.stringify({ providers: { probe: provider }, approvers: [] });
  const resolved: KeyProviderConfig | undefined = parseCustodyText(text, directory).providers[
    'probe'
  ];
  if (resolved === undefined) throw new UsageError('no provider');
  const surroundings = { workload: identity.spiffeId, identity: files };
  const opened = await openProvider(resolved, surroundings);
  try {
    const ids = { clock: systemClock, random: createSystemRandom() };
    const keyId = parseKeyId(createUuidV7(ids));
    // A provider that makes keys would make one for the probe and keep it.
    if (!('keyName' in resolved) || resolved.keyName === undefined) return;
    const key = createKey();
    const context = {
      kind: 'tenant-key' as const,
      cellId: config.cell,
      tenantId,
      keyId,
      version: 1,
      owner: `${tenantId}/probe`,
      under: keyId,
      underVersion: 1,
    };
    const wrap = await opened.provider.wrap(keyId, key, context);
    const again = await opened.provider.unwrap(keyId, wrap, context);
    if (!again.equals(key)) throw new KeysError('KEYS_KEY_UNREADABLE', 'provider gave another key');
  } finally {
    await opened.close();
    identity.close();
  }
}

async function enrolProvider(name: string): Promise<unknown> {
  const place = openPlace();
  assertNameFree(place, name);
  const read = readProvider(place, name);
  const provider = values['with-place-key'] ? { ...read, withPlaceKey: true } : read;
  try {
    await probe(place, provider);
    addProvider(place, { name, provider, isHome: values.home });
  } catch (error) {
    if (provider.kind === 'xks' && values.provider === undefined) {
      for (const file of [provider.secretFile, provider.caFile ?? '']) {
        rmSync(path.join(place.directory, file), { force: true });
      }
    }
    throw error;
  }
  return { v: 1, tenant: place.tenantId, provider: name, kind: provider.kind, isHome: values.home };
}

function enrolApprover(name: string): unknown {
  const place = openPlace();
  const { approvers } = addApprover(place, { name, key: need('key') });
  return { v: 1, tenant: place.tenantId, approvers: approvers.map((one) => one.name) };
}

async function main(): Promise<void> {
  const [what, name] = positionals;
  if (name === undefined) throw new UsageError('expected a name');
  if (what !== 'provider' && what !== 'approver')
    throw new UsageError('expected provider or approver');
  const result = what === 'provider' ? await enrolProvider(name) : enrolApprover(name);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

main().catch((error: unknown) => {
  const isKnown = error instanceof CodedError || error instanceof UsageError;
  process.stderr.write(`bailiwick: error: ${isKnown ? error.message : 'enrolment failed'}\n`);
  const code = error instanceof CodedError ? error.code : '';
  process.exit(error instanceof UsageError ? 2 : code === 'KEYS_PROVIDER_UNAVAILABLE' ? 5 : 1);
});
