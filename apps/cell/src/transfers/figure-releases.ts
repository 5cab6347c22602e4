// SPDX-License-Identifier: Apache-2.0
// What was said of a period is said once: the same groups to everybody who may have them, in one shape and
// one grain. What was suppressed so stays suppressed across requests: nothing that leaves later can be
// subtracted from what left before.
import { createHash } from 'node:crypto';
import type { DeliveryGroup, TransferRequest } from '@bailiwick/contracts';
import { type CollectionId, type Json, type TenantId, toCanonicalJson } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { PoolClient } from 'pg';
import { CellError } from '../errors.ts';
import type { Period } from './period.ts';

export interface ReleasedFigures {
  readonly groups: readonly DeliveryGroup[];
  readonly suppressedCount: number;
}

interface ReleasePlace {
  readonly tenantId: TenantId;
  readonly collectionId: CollectionId;
}

/** What was asked, without where it goes and what for. */
export function toShape({ selection, aggregate }: TransferRequest): string {
  const asked: Json = JSON.parse(
    JSON.stringify({ where: selection.where ?? {}, aggregate: { ...aggregate, period: null } }),
  );
  return createHash('sha256').update(toCanonicalJson(asked)).digest('hex');
}

/**
 * What has left of this period already; `undefined`: nothing.
 *
 * @throws {CellError} `TRANSFER_FIGURES_RELEASED` where another shape or grain has left, or where a figure
 *   of all time is asked for beside those of periods
 */
export function findReleased(
  database: Database,
  { tenantId, collectionId }: ReleasePlace,
  wanted: {
    readonly period: Period | undefined;
    readonly shape: string;
    readonly minimumCount: number;
  },
): Promise<ReleasedFigures | undefined> {
  return database.withTenant(tenantId, async (tx) => {
    const { period, shape, minimumCount } = wanted;
    const other = await tx.query(
      'SELECT 1 FROM cell.figure_releases WHERE collection_id = $1 AND grain <> $2 LIMIT 1',
      [collectionId, period?.grain ?? 'none'],
    );
    if (other.rows.length > 0) refuse('figures of other periods have left');
    const { rows } = await tx.query<{
      readonly shape: string;
      readonly minimum_count: number;
      readonly groups: string;
      readonly suppressed_count: number;
    }>('SELECT * FROM cell.figure_releases WHERE collection_id = $1 AND period = $2', [
      collectionId,
      period?.text ?? '',
    ]);
    const [row] = rows;
    if (row === undefined) return undefined;
    if (row.shape !== shape) refuse('figures of this period have left in another shape');
    if (row.minimum_count < minimumCount) refuse('figures of smaller groups have left');
    return {
      // This cell computed and wrote it: the shape is its own, and it is checked again before it is signed.
      groups: JSON.parse(row.groups) as readonly DeliveryGroup[],
      suppressedCount: row.suppressed_count,
    };
  });
}

function refuse(because: string): never {
  throw new CellError(
    'TRANSFER_FIGURES_RELEASED',
    `${because}: the two could be subtracted from each other`,
  );
}

/** Notes what leaves, in the caller's transaction. Somebody else was first: it is tried again. */
export async function insertRelease(
  tx: PoolClient,
  { tenantId, collectionId }: ReleasePlace,
  released: ReleasedFigures & {
    readonly period: Period;
    readonly shape: string;
    readonly minimumCount: number;
    readonly transferId: string;
  },
): Promise<void> {
  // One at a time for each collection: two grains must not both be the first.
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    `figures ${tenantId} ${collectionId}`,
  ]);
  const { period, shape, minimumCount, groups, suppressedCount, transferId } = released;
  const { rowCount } = await tx.query(
    `INSERT INTO cell.figure_releases (tenant_id, collection_id, period, grain, shape, minimum_count,
       groups, suppressed_count, transfer_id)
     SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9
      WHERE NOT EXISTS (SELECT 1 FROM cell.figure_releases
                         WHERE collection_id = $2 AND (grain <> $4 OR period = $3))`,
    [
      tenantId,
      collectionId,
      period.text,
      period.grain,
      shape,
      minimumCount,
      JSON.stringify(groups),
      suppressedCount,
      transferId,
    ],
  );
  if (rowCount !== 1) {
    throw new CellError('PEER_UNREACHABLE', 'another figure of this collection came in between');
  }
}
