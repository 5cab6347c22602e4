// SPDX-License-Identifier: Apache-2.0
// Transfers in the database. Each step is a change of state from exactly the one before, so that a job
// that runs twice, or dies in the middle, does nothing twice.
import type { Problem, TransferRequest, TransferState } from '@bailiwick/contracts';
import { assert, type TenantId } from '@bailiwick/kernel';
import type { DsseEnvelope } from '@bailiwick/keys';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import type { Credential, EntryReceipt } from '../services.ts';

export interface TransferRow {
  readonly tenantId: TenantId;
  readonly transferId: string;
  readonly state: TransferState;
  readonly request: TransferRequest;
  readonly credential: Credential;
  readonly statement?: DsseEnvelope;
  readonly statementHash?: string;
  readonly groupCount?: number;
  readonly suppressedCount?: number;
  readonly problem?: TransferProblem;
  readonly entryId?: string;
  readonly leafHash?: string;
  readonly remoteEntryId?: string;
  readonly remoteLeafHash?: string;
  readonly requestHash?: string;
  /** Conditions that approvals have made true, and those that none has yet. */
  readonly conditions: readonly string[];
  readonly missing: readonly string[];
  /** The last record that the destination has taken. */
  readonly through?: string;
  readonly chunkCount: number;
  readonly recordCount: number;
  readonly withheldCount: number;
  readonly leftOutCount: number;
  readonly digest?: string;
  readonly attemptCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export type TransferProblem = Pick<Problem, 'code' | 'detail' | 'rules' | 'reasons' | 'nearest'>;

interface Row {
  readonly tenant_id: TenantId;
  readonly transfer_id: string;
  readonly state: TransferState;
  readonly draft: TransferRequest;
  readonly credential: Credential;
  readonly statement: string | null;
  readonly statement_hash: string | null;
  readonly group_count: number | null;
  readonly suppressed_count: number | null;
  readonly problem: TransferProblem | null;
  readonly entry_id: string | null;
  readonly leaf_hash: string | null;
  readonly remote_entry_id: string | null;
  readonly remote_leaf_hash: string | null;
  readonly request_hash: string | null;
  readonly conditions: readonly string[];
  readonly missing: readonly string[];
  readonly through: string | null;
  readonly chunk_count: number;
  readonly record_count: string;
  readonly withheld_count: string;
  readonly left_out_count: string;
  readonly digest: string | null;
  readonly attempt_count: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Writes a new transfer in the caller's transaction, which has the tenant set; its job once it may run. */
export async function insertTransfer(
  tx: PoolClient,
  transfer: Pick<
    TransferRow,
    'tenantId' | 'transferId' | 'request' | 'credential' | 'missing' | 'state'
  > & { readonly requestHash: string; readonly askedWith: Buffer | undefined },
): Promise<{ readonly transferId: string; readonly requestHash: string }> {
  const { tenantId, transferId, request, credential, missing, state, requestHash } = transfer;
  const askedWith = transfer.askedWith ?? null;
  const { rowCount } = await tx.query(
    `INSERT INTO cell.transfers
       (tenant_id, transfer_id, kind, state, draft, credential, missing, request_hash, asked_with)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (tenant_id, asked_with) DO NOTHING`,
    [
      tenantId,
      transferId,
      request.kind,
      state,
      JSON.stringify(request),
      JSON.stringify(credential),
      missing,
      requestHash,
      askedWith,
    ],
  );
  if (rowCount === 0) return findAsked(tx, askedWith);
  if (state === 'accepted') await addTransferJob(tx, transfer);
  return { transferId, requestHash };
}

/** The transfer that was asked for with this key before; its tenant is the transaction's. */
async function findAsked(
  tx: PoolClient,
  askedWith: Buffer | null,
): Promise<{ readonly transferId: string; readonly requestHash: string }> {
  const { rows } = await tx.query<{ transfer_id: string; request_hash: string }>(
    'SELECT transfer_id, request_hash FROM cell.transfers WHERE asked_with = $1',
    [askedWith],
  );
  const [row] = rows;
  assert(row !== undefined, 'what stands in the way of an insert is there');
  return { transferId: row.transfer_id, requestHash: row.request_hash };
}

/** Has a transfer run, or run again. Invariant 7: a job carries ids only. */
export async function addTransferJob(
  tx: PoolClient,
  { tenantId, transferId }: Pick<TransferRow, 'tenantId' | 'transferId'>,
): Promise<void> {
  await tx.query(
    `SELECT jobs.add_job('transfer', json_build_object('tenantId', $1::text, 'transferId', $2::text),
       job_key => $2::text, max_attempts => 25)`,
    [tenantId, transferId],
  );
}

export function findTransfer(
  database: Database,
  { tenantId, transferId }: Pick<TransferRow, 'tenantId' | 'transferId'>,
): Promise<TransferRow | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>('SELECT * FROM cell.transfers WHERE transfer_id = $1', [
      transferId,
    ]);
    return rows[0] === undefined ? undefined : toTransfer(rows[0]);
  });
}

/** Newest first. */
export function listTransfers(
  database: Database,
  tenantId: TenantId,
  { count }: { readonly count: number },
): Promise<readonly TransferRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      'SELECT * FROM cell.transfers ORDER BY transfer_id DESC LIMIT $1',
      [count],
    );
    return rows.map(toTransfer);
  });
}

/** Transfers that are under way. */
export function listOpenTransfers(
  database: Database,
  tenantId: TenantId,
): Promise<readonly TransferRow[]> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<Row>(
      `SELECT * FROM cell.transfers
       WHERE state IN ('awaiting-approval', 'accepted', 'running', 'prepared') ORDER BY transfer_id`,
    );
    return rows.map(toTransfer);
  });
}

const absent = <T>(value: T | null): T | undefined => value ?? undefined;

function toTransfer(row: Row): TransferRow {
  const optional = {
    statement: row.statement === null ? undefined : parseEnvelope(row.statement),
    statementHash: absent(row.statement_hash),
    groupCount: absent(row.group_count),
    suppressedCount: absent(row.suppressed_count),
    problem: absent(row.problem),
    entryId: absent(row.entry_id),
    leafHash: absent(row.leaf_hash),
    remoteEntryId: absent(row.remote_entry_id),
    remoteLeafHash: absent(row.remote_leaf_hash),
    requestHash: absent(row.request_hash),
    through: absent(row.through),
    digest: absent(row.digest),
  };
  return {
    tenantId: row.tenant_id,
    transferId: row.transfer_id,
    state: row.state,
    request: row.draft,
    credential: row.credential,
    conditions: row.conditions,
    missing: row.missing,
    chunkCount: row.chunk_count,
    recordCount: Number(row.record_count),
    withheldCount: Number(row.withheld_count),
    leftOutCount: Number(row.left_out_count),
    attemptCount: row.attempt_count,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    ...withoutUndefined(optional),
  };
}

/** This cell signed and stored it: the shape is its own. */
function parseEnvelope(text: string): DsseEnvelope {
  return JSON.parse(text) as DsseEnvelope;
}

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function withoutUndefined<T extends object>(value: T): Present<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, one]) => one !== undefined),
  ) as Present<T>;
}

/** What a step leaves behind. */
export interface TransferStep {
  readonly from: TransferState;
  readonly to: TransferState;
  readonly statement?: DsseEnvelope;
  readonly statementHash?: string;
  readonly groupCount?: number;
  readonly suppressedCount?: number;
  readonly problem?: TransferProblem;
  readonly receipt?: EntryReceipt;
  readonly remote?: { readonly entryId: string; readonly leafHash: string };
}

/** Goes from one state to the next; false when the transfer is not in the state before any more. */
export async function takeStep(
  tx: PoolClient,
  transferId: string,
  step: TransferStep,
): Promise<boolean> {
  const { rowCount } = await tx.query(
    `UPDATE cell.transfers SET state = $3, updated_at = now(),
       statement = coalesce($4, statement), statement_hash = coalesce($5, statement_hash),
       group_count = coalesce($6, group_count), suppressed_count = coalesce($7, suppressed_count),
       problem = coalesce($8, problem), entry_id = coalesce($9, entry_id),
       leaf_hash = coalesce($10, leaf_hash), remote_entry_id = coalesce($11, remote_entry_id),
       remote_leaf_hash = coalesce($12, remote_leaf_hash)
     WHERE transfer_id = $1 AND state = $2`,
    [
      transferId,
      step.from,
      step.to,
      step.statement === undefined ? null : JSON.stringify(step.statement),
      step.statementHash ?? null,
      step.groupCount ?? null,
      step.suppressedCount ?? null,
      step.problem === undefined ? null : JSON.stringify(step.problem),
      step.receipt?.entryId ?? null,
      step.receipt?.leafHash ?? null,
      step.remote?.entryId ?? null,
      step.remote?.leafHash ?? null,
    ],
  );
  return rowCount === 1;
}

export function countAttempt(
  database: Database,
  { tenantId, transferId }: Pick<TransferRow, 'tenantId' | 'transferId'>,
): Promise<void> {
  return database.withTenant(tenantId, async (tx) => {
    await tx.query(
      'UPDATE cell.transfers SET attempt_count = attempt_count + 1 WHERE transfer_id = $1',
      [transferId],
    );
  });
}

/** True when less is allowed than when it was computed, about somebody in its collection. */
export function hasNarrowed(
  database: Database,
  { tenantId, request, updatedAt }: Pick<TransferRow, 'tenantId' | 'request' | 'updatedAt'>,
): Promise<boolean> {
  return database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query(
      `SELECT 1 FROM cell.standing_changes c
        WHERE c.tenant_id = $1 AND c.is_narrower AND c.changed_at >= $2::timestamptz - interval '1 second'
          AND (c.purpose IS NULL OR c.purpose = $3)
          AND (c.kind = 'erasure' OR EXISTS (SELECT 1 FROM cell.records r WHERE r.tenant_id = $1
                       AND r.subject_id = c.subject_id AND r.collection_id = $4)) LIMIT 1`,
      [tenantId, updatedAt, request.purpose, request.selection.collection],
    );
    return rows.length > 0;
  });
}
