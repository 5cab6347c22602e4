// SPDX-License-Identifier: Apache-2.0
// Facts about people in the database: one row a person, changed under a lock of its own, with the history
// of changes and the entry in the same transaction.
import type { KeyObject } from 'node:crypto';
import { parseSubjectId, type SubjectId, type TenantId } from '@bailiwick/kernel';
import type { PoolClient } from 'pg';
import { macStanding, NO_FACTS, type SubjectFacts, toFactsText, verifyStanding } from './facts.ts';

/** A row as it lies there. */
export interface StandingRow {
  readonly subjectId: SubjectId;
  readonly serial: number;
  readonly text: string;
  readonly mac: Buffer;
}

interface Row {
  readonly subject_id: string;
  readonly serial: number;
  readonly facts: string;
  readonly facts_mac: Buffer;
}

const COLUMNS = 'subject_id, serial, facts, facts_mac';

function parseRow(row: Row): StandingRow {
  return {
    subjectId: parseSubjectId(row.subject_id),
    serial: row.serial,
    text: row.facts,
    mac: row.facts_mac,
  };
}

/** The first so many rows of a tenant. */
export async function listStandings(
  tx: PoolClient,
  tenantId: TenantId,
  countMax: number,
): Promise<readonly StandingRow[]> {
  const { rows } = await tx.query<Row>(
    `SELECT ${COLUMNS} FROM cell.standings WHERE tenant_id = $1 LIMIT $2`,
    [tenantId, countMax],
  );
  return rows.map(parseRow);
}

export async function findStandings(
  tx: PoolClient,
  tenantId: TenantId,
  subjectIds: readonly SubjectId[],
): Promise<readonly StandingRow[]> {
  const { rows } = await tx.query<Row>(
    `SELECT ${COLUMNS} FROM cell.standings WHERE tenant_id = $1 AND subject_id = ANY ($2::uuid[])`,
    [tenantId, subjectIds],
  );
  return rows.map(parseRow);
}

/** Facts of a person, locked until the transaction ends. @throws {KeysError} `KEYS_FACTS_UNVERIFIED` */
export async function lockFacts(
  tx: PoolClient,
  factsKey: KeyObject,
  place: { readonly tenantId: TenantId; readonly subjectId: SubjectId },
): Promise<{ readonly serial: number; readonly facts: SubjectFacts }> {
  const { tenantId, subjectId } = place;
  // A row that is not there yet cannot be locked.
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
    `standing ${tenantId} ${subjectId}`,
  ]);
  const [row] = await findStandings(tx, tenantId, [subjectId]);
  if (row === undefined) return { serial: 0, facts: NO_FACTS };
  return { serial: row.serial, facts: verifyStanding(factsKey, { tenantId, ...row }) };
}

/** Writes facts with the next serial; the caller holds the lock. */
export async function writeFacts(
  tx: PoolClient,
  factsKey: KeyObject,
  standing: {
    readonly tenantId: TenantId;
    readonly subjectId: SubjectId;
    readonly serial: number;
    readonly facts: SubjectFacts;
  },
): Promise<string> {
  const { tenantId, subjectId, serial, facts } = standing;
  const text = toFactsText(facts);
  await tx.query(
    `INSERT INTO cell.standings (tenant_id, subject_id, serial, facts, facts_mac)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (tenant_id, subject_id)
     DO UPDATE SET serial = excluded.serial, facts = excluded.facts, facts_mac = excluded.facts_mac`,
    [tenantId, subjectId, serial, text, macStanding(factsKey, standing, text)],
  );
  return text;
}

/** One change of a person's facts, as history. */
export interface StandingChange {
  readonly serial: number;
  readonly kind: string;
  readonly purpose?: string;
  readonly change: Readonly<Record<string, unknown>>;
  readonly entryId: string;
  readonly changedAt: Date;
}

export async function insertChange(
  tx: PoolClient,
  place: { readonly tenantId: TenantId; readonly subjectId: SubjectId },
  change: StandingChange & { readonly isNarrower: boolean },
): Promise<void> {
  await tx.query(
    `INSERT INTO cell.standing_changes
       (tenant_id, subject_id, serial, kind, purpose, is_narrower, change, entry_id, changed_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    [
      place.tenantId,
      place.subjectId,
      change.serial,
      change.kind,
      change.purpose ?? null,
      change.isNarrower,
      JSON.stringify(change.change),
      change.entryId,
      change.changedAt,
    ],
  );
}

/** A person's history, the newest change first. */
export async function listChanges(
  tx: PoolClient,
  place: { readonly tenantId: TenantId; readonly subjectId: SubjectId },
  countMax: number,
): Promise<readonly StandingChange[]> {
  const { rows } = await tx.query<{
    serial: number;
    kind: string;
    purpose: string | null;
    change: Readonly<Record<string, unknown>>;
    entry_id: string;
    changed_at: Date;
  }>(
    `SELECT serial, kind, purpose, change, entry_id, changed_at FROM cell.standing_changes
      WHERE tenant_id = $1 AND subject_id = $2 ORDER BY serial DESC LIMIT $3`,
    [place.tenantId, place.subjectId, countMax],
  );
  return rows.map((row) => ({
    serial: row.serial,
    kind: row.kind,
    ...(row.purpose === null ? {} : { purpose: row.purpose }),
    change: row.change,
    entryId: row.entry_id,
    changedAt: row.changed_at,
  }));
}
