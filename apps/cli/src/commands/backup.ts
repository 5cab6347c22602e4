// SPDX-License-Identifier: Apache-2.0
// `bailiwick backup`: backups of a cell, for operators. What is in them stays sealed for operators too.
import { type Transport, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { openConfiguredOperator } from '../operator.ts';
import { toTable } from '../output.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** Copying and reading back a large cell takes its time. */
const DEADLINE_MS = 21_600_000;
const BYTES_PER_MEGABYTE = 1_000_000;

interface ShownBackup {
  readonly backupId: string;
  readonly kind: string;
  readonly at: string;
  readonly retainUntil: string;
  readonly ledger: { readonly epoch: number; readonly size: number };
  readonly rowsCount: number;
  readonly sizeBytes: number;
}

/** The internal listener of a residency's cell. */
export async function openOperatorCell(context: Context, residency: string): Promise<Transport> {
  const config = await context.config();
  const cell = config.cells[residency];
  if (cell === undefined) {
    throw new CliError('CLI_USAGE_WRONG', `the configuration names no cell \`${residency}\``);
  }
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  return operator.cell(cell);
}

function toRows(items: readonly ShownBackup[]): string {
  return toTable(
    ['backup', 'kind', 'at', 'rows', 'MB', 'ledger', 'kept until'],
    items.map(({ backupId, kind, at, rowsCount, sizeBytes, ledger, retainUntil }) => [
      backupId,
      kind,
      at,
      rowsCount,
      Math.round((sizeBytes / BYTES_PER_MEGABYTE) * 10) / 10,
      ledger.size,
      retainUntil,
    ]),
  );
}

/** Runs `bailiwick backup create <residency>`. */
export async function runBackupCreate(context: Context, { args, options }: Input): Promise<void> {
  const cell = await openOperatorCell(context, argument(args, 0));
  const body = { kind: options['full'] === true ? 'full' : 'incremental' };
  const call = {
    method: 'POST',
    path: '/internal/v1/backups',
    body,
    deadlineMs: DEADLINE_MS,
  } as const;
  const taken = unwrap(await cell.call<ShownBackup>(call));
  context.output.result({ v: 1, ...taken }, () => `${toRows([taken])}\nread back and intact`);
}

/** Runs `bailiwick backup list <residency>`. */
export async function runBackupList(context: Context, { args }: Input): Promise<void> {
  const cell = await openOperatorCell(context, argument(args, 0));
  const answer = unwrap(
    await cell.call<{ readonly items: readonly ShownBackup[]; readonly ledgerCopiedSize: number }>({
      method: 'GET',
      path: '/internal/v1/backups',
    }),
  );
  context.output.result({ v: 1, ...answer }, () =>
    [
      answer.items.length === 0 ? 'no backups yet' : toRows(answer.items),
      `ledger copied up to entry ${answer.ledgerCopiedSize}`,
    ].join('\n'),
  );
}

/** Runs `bailiwick backup verify <residency> [backupId]`: one, or all of them. */
export async function runBackupVerify(context: Context, { args }: Input): Promise<void> {
  const cell = await openOperatorCell(context, argument(args, 0));
  const [, stated] = args;
  const ids = stated === undefined ? await listIds(cell) : [stated];
  const items: unknown[] = [];
  for (const backupId of ids) {
    const path = `/internal/v1/backups/${encodeURIComponent(backupId)}/verifications`;
    items.push(
      unwrap(await cell.call({ method: 'POST', path, body: {}, deadlineMs: DEADLINE_MS })),
    );
  }
  context.output.result({ v: 1, items }, () =>
    ids.length === 0 ? 'no backups yet' : `${ids.length} backups read back, all intact`,
  );
}

async function listIds(cell: Transport): Promise<readonly string[]> {
  const answer = await cell.call<{ readonly items: readonly ShownBackup[] }>({
    method: 'GET',
    path: '/internal/v1/backups',
  });
  return unwrap(answer).items.map(({ backupId }) => backupId);
}
