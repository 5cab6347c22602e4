// SPDX-License-Identifier: Apache-2.0
// Records of which something stays: sealed anew with only that, as a new version, by the keys of whoever
// they belong to from now on. What is not kept is not even opened.
import { parseRecordId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { PoolClient } from 'pg';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { toEntryWrites } from '../records/entry.ts';
import { type Existing, openContents } from '../records/existing.ts';
import { type LabelledDraft, type PreparedRow, prepareRows } from '../records/prepare.ts';
import { updateRow } from '../records/record-store.ts';
import { digestRow } from '../records/row.ts';
import type { CellServices, EntryDraft } from '../services.ts';

/** One record and the positions of the field sets that stay. */
export interface Reduction {
  readonly existing: Existing;
  readonly kept: ReadonlySet<number>;
  /** Whose it is from now on; absent: as before. */
  readonly subjectId?: SubjectId;
}

type Services = Pick<CellServices, 'cellId' | 'keys' | 'clock' | 'random' | 'entries'>;

/** Seals what stays of records of one collection; `undefined` for one that does not open. */
export async function prepareReduced(
  services: Services,
  options: {
    readonly tenantId: TenantId;
    readonly collection: CompiledCollection;
    readonly reductions: readonly Reduction[];
  },
): Promise<readonly (PreparedRow | undefined)[]> {
  const { tenantId, collection, reductions } = options;
  const narrowed = reductions.map(({ existing, kept }) => {
    const sealed = existing.verified.sealed.filter(({ at }) => kept.has(at));
    return { ...existing, verified: { ...existing.verified, sealed } };
  });
  const contents = await openContents(services, narrowed);
  const drafts: LabelledDraft[] = [];
  const places: number[] = [];
  for (const [index, { existing, kept, subjectId }] of reductions.entries()) {
    const content = contents[index];
    if (content === undefined || content === 'erased') continue;
    const { row } = existing.verified;
    drafts.push({
      recordId: row.recordId,
      subjectId: subjectId ?? row.subjectId,
      label: existing.label,
      values: content.values.map((values, at) => (kept.has(at) ? values : undefined)),
      version: row.version + 1,
      collectedAt: content.collectedAt,
      lawDate: content.lawDate,
    });
    places.push(index);
  }
  const results = new Array<PreparedRow | undefined>(reductions.length).fill(undefined);
  if (drafts.length === 0) return results;
  const secrets = await services.keys.secrets(tenantId);
  const prepared = await prepareRows(services, { tenantId, collection, secrets, drafts });
  for (const [at, { row }] of prepared.entries()) results[places[at] ?? 0] = row;
  return results;
}

/** Writes reduced rows with their entry, in the caller's transaction; gives how many were as expected. */
export async function writeReduced(
  services: Services,
  tx: PoolClient,
  options: {
    readonly tenantId: TenantId;
    readonly rows: readonly PreparedRow[];
    readonly draft: Omit<EntryDraft, 'kind' | 'writes'>;
  },
): Promise<number> {
  const { tenantId, rows, draft } = options;
  if (rows.length === 0) return 0;
  const writes = rows.map((row) => ({
    recordId: parseRecordId(row.recordId),
    version: row.version,
    digest: digestRow(row),
  }));
  const entry = services.entries.prepare(tenantId, {
    ...draft,
    kind: 'write',
    writes: toEntryWrites(writes),
  });
  let count = 0;
  for (const row of rows) {
    if (await updateRow(tx, { ...row, entryId: entry.entryId })) count += 1;
  }
  // INVARIANT: an entry tells of all its rows or is not there; somebody changed one of them meanwhile.
  if (count !== rows.length) throw new RowsChanged();
  await services.entries.insertPrepared(tx, [entry]);
  return count;
}

/** Rolls a batch back that is to be looked at again. */
export class RowsChanged extends Error {}
