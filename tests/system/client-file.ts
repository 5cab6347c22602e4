// SPDX-License-Identifier: Apache-2.0
// A client configuration for a test's own tenant, so that the command can act as its accounts.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parse, stringify } from 'yaml';
import type { SharedSystem } from './shared.ts';
import type { OwnTenant } from './tenant.ts';

/** Writes `client.yaml` and the accounts' keys into a directory of the test's own; gives the file. */
export function writeClientFile(
  system: SharedSystem,
  { tenant, directory }: { readonly tenant: OwnTenant; readonly directory: string },
): string {
  const shared = parse(readFileSync(system.clientFile, 'utf8')) as Record<string, unknown>;
  const accounts = Object.entries(tenant.accounts).map(([name, { ids, key }]) => {
    const keyFile = path.join(directory, `${name}.pem`);
    writeFileSync(keyFile, key, { mode: 0o600 });
    return [name, { tenant: 'own', keyFile, ids }] as const;
  });
  const residencies = [...new Set(accounts.flatMap(([, { ids }]) => Object.keys(ids)))];
  const at = (file: string): string => path.resolve(system.state, file);
  const operator = shared['operator'] as Record<string, string>;
  const client = {
    ...shared,
    tenants: { own: { id: tenant.tenantId, residencies } },
    accounts: Object.fromEntries(accounts),
    caFile: at(String(shared['caFile'])),
    operator: Object.fromEntries(Object.entries(operator).map(([name, file]) => [name, at(file)])),
  };
  const file = path.join(directory, 'client.yaml');
  writeFileSync(file, stringify(client, { aliasDuplicateObjects: false }), { mode: 0o600 });
  return file;
}
