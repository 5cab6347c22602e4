// SPDX-License-Identifier: Apache-2.0
// Stored rows against what the ledger says of their writes. A cipher cannot refuse a whole older row put
// back in its place; this names it.
import {
  LEDGER_CHECK_PROBLEMS_COUNT_MAX,
  type LedgerCheckAnswer,
  type LedgerCheckProblem,
} from '@bailiwick/contracts';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { CosignedTime, RowProblem, RowWrite } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import { listRows } from '../records/record-store.ts';
import { digestRow } from '../records/row.ts';
import type { CellLedger } from './cell-ledger.ts';
import { checkEntries } from './check-entries.ts';
import { readWriteHistory } from './entry-store.ts';

/** Checks all rows and entries of a tenant, in one snapshot: rows and their entries are written together. */
export async function checkRows(
  ports: { readonly database: Database; readonly ledger: Pick<CellLedger, 'epoch' | 'store'> },
  asked: TenantId,
  times: readonly CosignedTime[] = [],
): Promise<LedgerCheckAnswer> {
  const { database, ledger } = ports;
  const tenantId = parseTenantId(asked);
  const tx = await database.pool.connect();
  let isBroken = true;
  try {
    await tx.query(
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;' +
        ` SET LOCAL bailiwick.tenant = '${tenantId}'`,
    );
    const { history, entriesCount, changedEntries } = await readWriteHistory(tx, ledger);
    const snapshot: Database = { ...database, withTenant: (_tenant, work) => work(tx) };
    let rowsCount = 0;
    const rows = async function* (): AsyncGenerator<RowWrite> {
      for await (const row of listRows(snapshot, tenantId)) {
        rowsCount += 1;
        yield { recordId: row.recordId, version: row.version, digest: digestRow(row) };
      }
    };
    const problems: LedgerCheckProblem[] = changedEntries.map(toEntryProblem);
    let problemsCount = problems.length;
    for await (const problem of history.check(rows())) {
      problemsCount += 1;
      if (problems.length < LEDGER_CHECK_PROBLEMS_COUNT_MAX) problems.push(toRowProblem(problem));
    }
    const told = new Set<string | undefined>(changedEntries);
    for await (const problem of checkEntries(tx, ledger, times)) {
      if (told.has(problem.entry)) continue;
      problemsCount += 1;
      if (problems.length < LEDGER_CHECK_PROBLEMS_COUNT_MAX) problems.push(problem);
    }
    await tx.query('COMMIT');
    isBroken = false;
    const first = problems.slice(0, LEDGER_CHECK_PROBLEMS_COUNT_MAX);
    return { rowsCount, entriesCount, problemsCount, problems: first };
  } finally {
    tx.release(isBroken);
  }
}

function toEntryProblem(entry: string): LedgerCheckProblem {
  return { problem: 'entry-changed', entry };
}

function toRowProblem({ recordId, problem, version, latest }: RowProblem): LedgerCheckProblem {
  return {
    problem,
    record: recordId,
    ...(version === undefined ? {} : { version }),
    ...(latest === undefined ? {} : { entry: latest.entryId, entryVersion: latest.version }),
  };
}
