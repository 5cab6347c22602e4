// SPDX-License-Identifier: Apache-2.0
// Requests in the database. A change of state names the states it may come from: of two who try, one does.
import type { RightsKind, RightsRequest, RightsState } from '@bailiwick/contracts';
import { parseSubjectId, type SubjectId, type TenantId, toDate } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { Credential } from '../services.ts';
import type { RequestClock } from './clock.ts';

export type RequestStep = RightsRequest['steps'][number];

export interface RequestPlace {
  readonly tenantId: TenantId;
  readonly requestId: string;
}

export interface RequestRow extends RequestPlace {
  readonly subjectId: SubjectId;
  readonly namedId: SubjectId;
  readonly kind: RightsKind;
  readonly state: RightsState;
  readonly draft: { readonly purpose?: string; readonly ground?: string };
  readonly clock: RequestClock;
  /** Of whoever had it carried out last; at first of whoever wrote it down. */
  readonly credential: Credential;
  readonly progress: { readonly steps?: readonly RequestStep[] };
  readonly refusal: RightsRequest['refusal'] | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface Row {
  readonly tenant_id: TenantId;
  readonly request_id: string;
  readonly subject_id: string;
  readonly named_id: string;
  readonly kind: RightsKind;
  readonly state: RightsState;
  readonly draft: RequestRow['draft'];
  readonly clock: RequestClock;
  readonly credential: Credential;
  readonly progress: RequestRow['progress'];
  readonly refusal: NonNullable<RightsRequest['refusal']> | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

function toRow(row: Row): RequestRow {
  return {
    tenantId: row.tenant_id,
    requestId: row.request_id,
    subjectId: parseSubjectId(row.subject_id),
    namedId: parseSubjectId(row.named_id),
    kind: row.kind,
    state: row.state,
    draft: row.draft,
    clock: row.clock,
    credential: row.credential,
    progress: row.progress,
    refusal: row.refusal ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

export async function insertRequest(
  tx: PoolClient,
  request: Omit<RequestRow, 'state' | 'progress' | 'refusal' | 'updatedAt'>,
): Promise<void> {
  await tx.query(
    `INSERT INTO cell.rights_requests (tenant_id, request_id, subject_id, named_id, kind, state,
       draft, clock, due_on, credential, created_at)
     VALUES ($1, $2, $3, $4, $5, 'received', $6, $7, $8, $9, $10)`,
    [
      request.tenantId,
      request.requestId,
      request.subjectId,
      request.namedId,
      request.kind,
      JSON.stringify(request.draft),
      JSON.stringify(request.clock),
      request.clock.dueOn,
      JSON.stringify(request.credential),
      request.createdAt,
    ],
  );
}

export function findRequest(
  database: Database,
  { tenantId, requestId }: RequestPlace,
): Promise<RequestRow | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.rights_requests WHERE tenant_id = $1 AND request_id = $2',
      [tenantId, requestId],
    );
    return rows[0] && toRow(rows[0]);
  });
}

/** Open ones first, the most urgent at the top. */
export function listRequests(
  database: Database,
  tenantId: TenantId,
): Promise<readonly RequestRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      `SELECT * FROM cell.rights_requests WHERE tenant_id = $1
        ORDER BY state IN ('completed', 'refused'), due_on, request_id LIMIT 500`,
      [tenantId],
    );
    return rows.map(toRow);
  });
}

/** Changes a request that is in one of these states; false when it is not. */
export async function changeRequest(
  tx: PoolClient,
  place: RequestPlace,
  change: {
    readonly from: readonly RightsState[];
    readonly to: RightsState;
    readonly clock?: RequestClock;
    readonly credential?: Credential;
    readonly progress?: RequestRow['progress'];
    readonly refusal?: RightsRequest['refusal'];
  },
): Promise<boolean> {
  const json = (value: unknown): string | null =>
    value === undefined ? null : JSON.stringify(value);
  const { rowCount } = await tx.query(
    `UPDATE cell.rights_requests
        SET state = $4, clock = coalesce($5, clock), due_on = coalesce($6, due_on),
            credential = coalesce($7, credential), progress = coalesce($8, progress),
            refusal = coalesce($9, refusal), updated_at = now()
      WHERE tenant_id = $1 AND request_id = $2 AND state = ANY ($3)`,
    [
      place.tenantId,
      place.requestId,
      change.from,
      change.to,
      json(change.clock),
      change.clock?.dueOn ?? null,
      json(change.credential),
      json(change.progress),
      json(change.refusal),
    ],
  );
  return rowCount === 1;
}

/** A request as its answer. */
export function toRequestAnswer(row: RequestRow, nowMs: number): RightsRequest {
  const { requestId, kind, state, subjectId, draft, clock, progress, refusal } = row;
  const isOpen = state !== 'completed' && state !== 'refused';
  return {
    requestId,
    kind,
    state,
    subjectId,
    ...draft,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    dueOn: clock.dueOn,
    isOverdue: isOpen && toDate(nowMs) > clock.dueOn,
    deadlines: clock.deadlines,
    steps: progress.steps ?? [],
    ...(refusal === undefined ? {} : { refusal }),
    ...(kind === 'erasure' && progress.steps !== undefined ? { erasureId: requestId } : {}),
  };
}
