// SPDX-License-Identifier: Apache-2.0
// `bailiwick config show`: what is in force and who said so. Keys are named by file, never shown.
import { findConfigFile } from '../config.ts';
import type { Context } from '../context.ts';
import { toTable } from '../output.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick config show`. */
export async function runConfigShow(context: Context, { options }: Input): Promise<void> {
  const config = await context.config();
  const file = findConfigFile(context.globals);
  const rows = [
    { name: 'file', value: file.value, origin: file.origin },
    { name: 'tenant', value: config.tenant.value.name, origin: config.tenant.origin },
    { name: 'tenantId', value: config.tenant.value.id, origin: 'file' },
    { name: 'account', value: config.account.value.name, origin: config.account.origin },
    { name: 'purpose', value: config.purpose.value ?? '', origin: config.purpose.origin },
    { name: 'residencies', value: config.tenant.value.residencies.join(','), origin: 'file' },
    { name: 'router', value: toAddress(config.directory?.router), origin: 'file' },
    { name: 'caFile', value: config.caFile ?? '', origin: 'file' },
  ];
  const isOriginShown = options['origin'] === true;
  const value = Object.fromEntries(
    rows.map((row) => [
      row.name,
      isOriginShown ? { value: row.value, origin: row.origin } : row.value,
    ]),
  );
  context.output.result({ v: 1, ...value }, () =>
    isOriginShown
      ? toTable(
          ['name', 'value', 'origin'],
          rows.map((row) => [row.name, row.value, row.origin]),
        )
      : toTable(
          ['name', 'value'],
          rows.map((row) => [row.name, row.value]),
        ),
  );
}

function toAddress(address: { readonly host: string; readonly port: number } | undefined): string {
  return address === undefined ? '' : `${address.host}:${address.port}`;
}
