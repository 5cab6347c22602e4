// SPDX-License-Identifier: Apache-2.0
// A person was erased in the cell that sent copies here: their keys here are destroyed and their rows go.
// Neither stale law nor a stopped transfer stands in the way of taking data away.
import { parseRecordId } from '@bailiwick/kernel';
import { DELETED_DIGEST } from '@bailiwick/ledger';
import type { KeyAdministration } from '../key-service/api.ts';
import { toEntrySubject, toEntryWrites } from '../records/entry.ts';
import type { CellRuntime } from '../runtime.ts';
import { findArrival } from './arrival-store.ts';
import { toCopySubject } from './take-chunk.ts';
import { type ArrivalCall, refuse } from './verify-arrival.ts';

const ROWS_COUNT_MAX = 1_000;

/** @throws {CellError} `DELIVERY_REFUSED` for what this cell never announced */
export async function recallPerson(
  runtime: CellRuntime,
  administration: Pick<KeyAdministration, 'eraseSubject'>,
  call: Omit<ArrivalCall, 'body'> & { readonly recallId: string; readonly subject: string },
): Promise<{ readonly entryId: string; readonly leafHash: string }> {
  const { tenantId, transferId, recallId, from } = call;
  const arrival = await findArrival(runtime.database, call);
  // SECURITY: a cell takes back what it sent, and nothing of anybody else.
  if (arrival === undefined || arrival.from !== from) return refuse('nothing was announced');
  const secrets = await runtime.keys.secrets(tenantId);
  const subjectId = toCopySubject(secrets, call);
  if (subjectId === undefined) return refuse('nobody is named');
  const draft = { kind: 'erasure', ...toEntrySubject(subjectId) } as const;
  const facts = { transfer: transferId, recall: recallId, from };
  // INVARIANT 3: on record before a key is touched.
  const asked = await runtime.entries.record(tenantId, {
    ...draft,
    facts: { ...facts, step: 'recalled' },
  });
  await administration.eraseSubject({
    ...{ erasureId: recallId, tenantId, subjectId },
    entryId: asked.entryId,
  });
  let recordsCount = 0;
  for (;;) {
    const count = await runtime.database.withTenant(tenantId, async (tx) => {
      const { rows } = await tx.query<{ readonly record_id: string; readonly version: number }>(
        `DELETE FROM cell.records r
          USING (SELECT collection_id, record_id FROM cell.records
                  WHERE tenant_id = $1 AND subject_id = $2
                  ORDER BY collection_id, record_id LIMIT $3 FOR UPDATE) found
          WHERE r.tenant_id = $1 AND r.collection_id = found.collection_id
            AND r.record_id = found.record_id
          RETURNING r.record_id, r.version`,
        [tenantId, subjectId, ROWS_COUNT_MAX],
      );
      if (rows.length === 0) return 0;
      const writes = rows.map((row) => ({
        recordId: parseRecordId(row.record_id),
        version: row.version + 1,
        digest: DELETED_DIGEST,
      }));
      const entry = runtime.entries.prepare(tenantId, {
        ...{ ...draft, kind: 'delete' },
        writes: toEntryWrites(writes),
        facts: { ...facts, step: 'deleted' },
      });
      await runtime.entries.insertPrepared(tx, [entry]);
      return rows.length;
    });
    recordsCount += count;
    if (count < ROWS_COUNT_MAX) break;
  }
  return runtime.entries.record(tenantId, {
    ...draft,
    facts: { ...facts, step: 'erased', records: recordsCount },
  });
}
