// SPDX-License-Identifier: Apache-2.0
// Erasing a person: decided, on record, keys destroyed in every replica of the erasable store, the rows
// gone, on record with what each replica signed. What was copied elsewhere before is noise from then on.
import { digestStatements } from '@bailiwick/evidence';
import {
  type CellId,
  createUuidV7,
  type EntryId,
  parseEntryId,
  parseRecordId,
  type SubjectId,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import { deriveSubjectId, type SignedStatement } from '@bailiwick/keys';
import { DELETED_DIGEST } from '@bailiwick/ledger';
import { CellError } from '../errors.ts';
import { keepReceipt } from '../evidence/receipt-store.ts';
import type { ErasureReceipt, KeyAdministration } from '../key-service/api.ts';
import { toActor } from '../keys/change-key.ts';
import { toEntrySubject, toEntryWrites } from '../records/entry.ts';
import type { CellServices, Credential, EntryDraft, FlowRequest } from '../services.ts';

const CHECKPOINT_TIMEOUT_MS = 5_000;
/** Rows that one transaction deletes. */
const ROWS_COUNT_MAX = 1_000;

/** What the caller gets, and may show to the person: ids, counts, instants and signatures. */
export interface ErasureAnswer {
  readonly erasureId: string;
  readonly subjectId: SubjectId;
  readonly state: string;
  readonly acceptedAt: string;
  readonly doneAt: string;
  /** Erased keys, destroyed shred keys, people whose keys were wrapped anew, rows deleted. */
  readonly keyIds: readonly string[];
  readonly shredKeyIds: readonly string[];
  readonly survivorsCount: number;
  readonly recordsCount: number;
  readonly replicas: readonly { readonly replicaId: string; readonly publicKey: string }[];
  readonly statements: readonly SignedStatement[];
  /** What this erasure does not reach. */
  readonly caveats: readonly string[];
  readonly entries: readonly EntryId[];
}

const CAVEATS = {
  extractable:
    'whoever copied a replica of the erasable store before it was erased can still read: its keys are not held in hardware',
  memory:
    'plaintext that left the cell before, and the memory of stopped processes, are not reached',
} as const;

/** One request for each origin that has its home here: nothing says yet where this person's data is from. */
function toRequests(
  services: CellServices,
  credential: Credential,
  purpose: string,
): readonly FlowRequest[] {
  const { charter } = services.law.current();
  const cell = charter.cells.find(({ id }) => id === services.cellId);
  if (cell === undefined) {
    throw new CellError('CELL_ROLE_FORBIDDEN', 'the charter does not know this cell');
  }
  const to = {
    kind: 'cell',
    id: services.cellId,
    location: cell.location,
    operator: cell.operator,
  } as const;
  const requests: FlowRequest[] = [];
  for (const [origin, home] of charter.homes) {
    if (!home.ok || home.cellId !== services.cellId) continue;
    requests.push({
      action: 'erase',
      class: 'restricted',
      categories: charter.categories,
      regimes: home.regimes,
      origin,
      residency: credential.residency,
      purpose,
      to,
    });
  }
  return requests;
}

/** Decides for all origins; the first flow stands in the entry. */
async function requireErasure(
  services: CellServices,
  credential: Credential,
  purpose: string,
): Promise<Pick<EntryDraft, 'actor' | 'flow' | 'decision'>> {
  let permit: Pick<EntryDraft, 'actor' | 'flow' | 'decision'> | undefined;
  for (const request of toRequests(services, credential, purpose)) {
    const decided = await services.enforcement.require(credential, request);
    permit ??= services.enforcement.toDraft(credential, decided);
  }
  if (permit === undefined) {
    throw new CellError('CELL_ROLE_FORBIDDEN', 'the charter gives this cell no data to erase');
  }
  return permit;
}

/** Deletes the person's rows, batch by batch, each with the entry that `ledger check` looks for. */
async function deleteRecords(
  services: CellServices,
  tenantId: TenantId,
  wanted: {
    readonly subjectId: SubjectId;
    readonly erasureId: string;
    readonly requestId: string;
    readonly credential: Credential;
  },
): Promise<number> {
  let total = 0;
  for (;;) {
    const count = await services.database.withTenant(tenantId, async (tx) => {
      const { rows } = await tx.query<{ record_id: string; version: number }>(
        `DELETE FROM cell.records r
          USING (SELECT collection_id, record_id FROM cell.records
                  WHERE tenant_id = $1 AND subject_id = $2
                  ORDER BY collection_id, record_id LIMIT $3 FOR UPDATE) found
          WHERE r.tenant_id = $1 AND r.collection_id = found.collection_id
            AND r.record_id = found.record_id
          RETURNING r.record_id, r.version`,
        [tenantId, wanted.subjectId, ROWS_COUNT_MAX],
      );
      if (rows.length === 0) return 0;
      const writes = rows.map((row) => ({
        recordId: parseRecordId(row.record_id),
        version: row.version + 1,
        digest: DELETED_DIGEST,
      }));
      const entry = services.entries.prepare(tenantId, {
        kind: 'delete',
        actor: toActor(wanted.credential),
        ...toEntrySubject(wanted.subjectId),
        writes: toEntryWrites(writes),
        facts: { erasure: wanted.erasureId },
        request: wanted.requestId,
      });
      await services.entries.insertPrepared(tx, [entry]);
      return rows.length;
    });
    total += count;
    if (count < ROWS_COUNT_MAX) return total;
  }
}

/** Erases a person by the caller's own id. The same person again gives a receipt with no key in it. */
export async function eraseSubject(
  services: CellServices,
  administration: KeyAdministration,
  wanted: {
    readonly credential: Credential;
    readonly subject: string;
    readonly statedPurpose: string | undefined;
    readonly requestId: string;
  },
): Promise<ErasureAnswer> {
  const { credential, requestId } = wanted;
  const { tenantId } = credential;
  const purpose = services.enforcement.purposeOf(credential, wanted.statedPurpose);
  const permit = await requireErasure(services, credential, purpose);
  const { idKey } = await services.keys.secrets(tenantId);
  const subjectId = deriveSubjectId(idKey, wanted.subject);
  const erasureId = parseEntryId(createUuidV7(services));
  const draft = { kind: 'erasure', ...toEntrySubject(subjectId), request: requestId } as const;
  // INVARIANT 3: on record before a key is touched.
  const asked = await services.entries.record(tenantId, {
    ...draft,
    ...permit,
    facts: { erasure: erasureId, step: 'asked' },
  });
  const receipt = await administration.eraseSubject({
    erasureId,
    tenantId,
    subjectId,
    entryId: asked.entryId,
  });
  const recordsCount = await deleteRecords(services, tenantId, {
    subjectId,
    erasureId: receipt.erasureId,
    requestId,
    credential,
  });
  const done = await services.entries.record(tenantId, {
    ...draft,
    actor: toActor(credential),
    facts: toFacts(receipt, { recordsCount, cellId: services.cellId }),
  });
  await keepReceipt(services.database, {
    tenantId,
    entryId: done.entryId,
    statements: receipt.statements,
  });
  await services.entries.awaitCheckpoint(done.entryId, { timeoutMs: CHECKPOINT_TIMEOUT_MS });
  return toAnswer(receipt, { recordsCount, entries: [asked.entryId, done.entryId] });
}

function toFacts(
  receipt: ErasureReceipt,
  more: { readonly recordsCount: number; readonly cellId: CellId },
): NonNullable<EntryDraft['facts']> {
  return {
    erasure: receipt.erasureId,
    step: receipt.state,
    keys: receipt.keyIds,
    shredKeys: receipt.retired,
    survivorsCount: receipt.survivorsCount,
    recordsCount: more.recordsCount,
    replicas: receipt.replicas.map(({ replicaId }) => replicaId),
    receiptCount: receipt.statements.length,
    receiptHash: digestStatements(receipt.statements),
  };
}

function toAnswer(
  receipt: ErasureReceipt,
  more: { readonly recordsCount: number; readonly entries: readonly EntryId[] },
): ErasureAnswer {
  return {
    erasureId: receipt.erasureId,
    subjectId: receipt.subjectId,
    state: receipt.state,
    acceptedAt: toInstant(receipt.acceptedAtMs),
    doneAt: toInstant(receipt.doneAtMs ?? receipt.acceptedAtMs),
    keyIds: receipt.keyIds,
    shredKeyIds: receipt.retired,
    survivorsCount: receipt.survivorsCount,
    recordsCount: more.recordsCount,
    replicas: receipt.replicas,
    statements: receipt.statements,
    caveats: receipt.isExtractable ? Object.values(CAVEATS) : [CAVEATS.memory],
    entries: more.entries,
  };
}
