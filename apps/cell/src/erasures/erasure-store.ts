// SPDX-License-Identifier: Apache-2.0
// Erasures in the database: each goes from one state to the next and never back, so that whoever takes one
// up after a crash begins where it was.
import { parseEntryId, parseSubjectId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { DsseEnvelope } from '@bailiwick/keys';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { ErasureReceipt as KeyReceipt } from '../key-service/api.ts';
import type { EntryDraft } from '../services.ts';

export const ERASURE_STEPS = ['accepted', 'resealed', 'shredded', 'deleted', 'done'] as const;
export type ErasureStep = (typeof ERASURE_STEPS)[number];

/** Why a field set was kept, over how many records. */
export interface KeptFields {
  readonly collection: string;
  readonly fieldSet: string;
  readonly fields: readonly string[];
  readonly reason: 'hold' | 'statutory-retention';
  readonly because: string;
  readonly source: string;
  /** The latest day on which it ends; absent: nobody can say. */
  readonly until?: string;
  readonly recordsCount: number;
}

/** What is known so far. */
export interface ErasureProgress {
  readonly kept?: readonly KeptFields[];
  readonly keptRecordsCount?: number;
  readonly unverifiedCount?: number;
  readonly keys?: KeyReceipt;
  /** Rows deleted, by collection. */
  readonly deleted?: Readonly<Record<string, number>>;
  readonly doneEntry?: string;
}

export interface ErasurePlace {
  readonly tenantId: TenantId;
  readonly erasureId: string;
}

export interface ErasureRecord extends ErasurePlace {
  readonly subjectId: SubjectId;
  /** Stands for everybody who had the caller's id. */
  readonly namedId: SubjectId;
  /** Under which lies what must be kept. */
  readonly remainderId: SubjectId;
  readonly state: ErasureStep;
  readonly actor: NonNullable<EntryDraft['actor']>;
  readonly askedEntry: ReturnType<typeof parseEntryId>;
  readonly progress: ErasureProgress;
  readonly receipt: DsseEnvelope | undefined;
  readonly acceptedAt: Date;
  readonly doneAt: Date | undefined;
}

interface Row {
  readonly tenant_id: TenantId;
  readonly erasure_id: string;
  readonly subject_id: string;
  readonly named_id: string;
  readonly remainder_id: string;
  readonly state: ErasureStep;
  readonly actor: ErasureRecord['actor'];
  readonly asked_entry: string;
  readonly progress: ErasureProgress;
  readonly receipt: string | null;
  readonly accepted_at: Date;
  readonly done_at: Date | null;
}

function toErasure(row: Row): ErasureRecord {
  return {
    tenantId: row.tenant_id,
    erasureId: row.erasure_id,
    subjectId: parseSubjectId(row.subject_id),
    namedId: parseSubjectId(row.named_id),
    remainderId: parseSubjectId(row.remainder_id),
    state: row.state,
    actor: row.actor,
    askedEntry: parseEntryId(row.asked_entry),
    progress: row.progress,
    receipt: row.receipt === null ? undefined : parseEnvelope(row.receipt),
    acceptedAt: row.accepted_at,
    doneAt: row.done_at ?? undefined,
  };
}

/** This cell signed and stored it: the shape is its own. */
function parseEnvelope(text: string): DsseEnvelope {
  return JSON.parse(text) as DsseEnvelope;
}

export async function insertErasure(
  tx: PoolClient,
  erasure: Omit<ErasureRecord, 'state' | 'progress' | 'receipt' | 'doneAt'>,
): Promise<void> {
  await tx.query(
    `INSERT INTO cell.erasures (tenant_id, erasure_id, subject_id, named_id, remainder_id, state,
       actor, asked_entry, accepted_at) VALUES ($1, $2, $3, $4, $5, 'accepted', $6, $7, $8)`,
    [
      erasure.tenantId,
      erasure.erasureId,
      erasure.subjectId,
      erasure.namedId,
      erasure.remainderId,
      JSON.stringify(erasure.actor),
      erasure.askedEntry,
      erasure.acceptedAt,
    ],
  );
}

/** An erasure that somebody with this id is waiting for. */
export async function findRunning(
  tx: PoolClient,
  place: { readonly tenantId: TenantId; readonly namedId: SubjectId },
): Promise<ErasureRecord | undefined> {
  const { rows } = await tx.query<Row>(
    `SELECT * FROM cell.erasures WHERE tenant_id = $1 AND named_id = $2 AND state <> 'done'
      ORDER BY erasure_id LIMIT 1`,
    [place.tenantId, place.namedId],
  );
  return rows[0] && toErasure(rows[0]);
}

export function findErasure(
  database: Database,
  { tenantId, erasureId }: ErasurePlace,
): Promise<ErasureRecord | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.erasures WHERE tenant_id = $1 AND erasure_id = $2',
      [tenantId, erasureId],
    );
    return rows[0] && toErasure(rows[0]);
  });
}

/** Notes progress in the caller's transaction; false when the state is not the one expected any more. */
export async function advance(
  tx: PoolClient,
  erasure: Pick<ErasureRecord, 'tenantId' | 'erasureId' | 'state'>,
  next: {
    readonly state: ErasureStep;
    readonly progress: ErasureProgress;
    readonly receipt?: DsseEnvelope;
    readonly doneAt?: Date;
  },
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE cell.erasures SET state = $4, progress = $5, receipt = coalesce($6, receipt),
        done_at = coalesce($7, done_at)
      WHERE tenant_id = $1 AND erasure_id = $2 AND state = $3`,
    [
      erasure.tenantId,
      erasure.erasureId,
      erasure.state,
      next.state,
      JSON.stringify(next.progress),
      next.receipt === undefined ? null : JSON.stringify(next.receipt),
      next.doneAt ?? null,
    ],
  );
  return rowCount === 1;
}
