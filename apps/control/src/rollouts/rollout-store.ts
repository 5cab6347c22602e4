// SPDX-License-Identifier: Apache-2.0
import {
  type CanaryFigures,
  DIFFERENCE_KINDS_COUNT_MAX,
  type DifferenceKind,
  type RolloutAnswer,
  type RolloutLimits,
  type RolloutPhase,
  type RolloutReport,
  type RolloutStop,
} from '@bailiwick/contracts';
import { type CellId, parseCellId, toInstant } from '@bailiwick/kernel';
import type { Transaction } from '../services.ts';

/** A rollout as it is kept. */
export interface StoredRollout {
  readonly rolloutId: string;
  readonly serial: number;
  readonly text: string;
  readonly textHash: string;
  readonly freshForMs: number;
  readonly firstCell: CellId;
  readonly phase: RolloutPhase;
  readonly shareBasisPoints: number;
  readonly limits: RolloutLimits;
  readonly baseSerial: number;
  readonly baseHash: string;
  readonly returnApprovals: readonly unknown[];
  readonly stoppedBy: RolloutStop | undefined;
  readonly startedAt: string;
  readonly endedAt: string | undefined;
}

interface RolloutRow {
  readonly rollout_id: string;
  readonly serial: string;
  readonly charter: string;
  readonly text_hash: string;
  readonly fresh_for_ms: number;
  readonly first_cell: string;
  readonly phase: RolloutPhase;
  readonly share_basis_points: number;
  readonly limits: RolloutLimits;
  readonly base_serial: string;
  readonly base_hash: string;
  readonly return_approvals: readonly unknown[];
  readonly stopped_by: RolloutStop | null;
  readonly started_at: Date;
  readonly ended_at: Date | null;
}

const SELECT = `
  SELECT r.rollout_id, r.serial::text, r.charter, r.text_hash, r.fresh_for_ms, r.first_cell, r.phase,
    r.share_basis_points, r.limits, r.base_serial::text, b.text_hash AS base_hash, r.return_approvals,
    r.stopped_by, r.started_at, r.ended_at
  FROM control.rollouts r JOIN control.charters b ON b.serial = r.base_serial`;
const OPEN = `r.phase IN ('canary', 'canary-everywhere', 'first-cell')`;

function toRollout(row: RolloutRow): StoredRollout {
  return {
    rolloutId: row.rollout_id,
    serial: Number(row.serial),
    text: row.charter,
    textHash: row.text_hash,
    freshForMs: row.fresh_for_ms,
    firstCell: parseCellId(row.first_cell),
    phase: row.phase,
    shareBasisPoints: row.share_basis_points,
    limits: row.limits,
    baseSerial: Number(row.base_serial),
    baseHash: row.base_hash,
    returnApprovals: row.return_approvals,
    stoppedBy: row.stopped_by ?? undefined,
    startedAt: toInstant(row.started_at.getTime()),
    endedAt: row.ended_at === null ? undefined : toInstant(row.ended_at.getTime()),
  };
}

/** The rollout that is under way. */
export async function findOpenRollout(tx: Transaction): Promise<StoredRollout | undefined> {
  const { rows } = await tx.query<RolloutRow>(`${SELECT} WHERE ${OPEN}`);
  return rows[0] === undefined ? undefined : toRollout(rows[0]);
}

/** One rollout. */
export async function findRollout(
  tx: Transaction,
  rolloutId: string,
): Promise<StoredRollout | undefined> {
  const { rows } = await tx.query<RolloutRow>(`${SELECT} WHERE r.rollout_id = $1`, [rolloutId]);
  return rows[0] === undefined ? undefined : toRollout(rows[0]);
}

/** Newest first. */
export async function listRollouts(
  tx: Transaction,
  { count }: { readonly count: number },
): Promise<readonly StoredRollout[]> {
  const { rows } = await tx.query<RolloutRow>(
    `${SELECT} ORDER BY r.started_at DESC, r.serial DESC LIMIT $1`,
    [count],
  );
  return rows.map(toRollout);
}

/** Writes a rollout whole. */
export async function putRollout(tx: Transaction, rollout: StoredRollout): Promise<void> {
  await tx.query(
    `INSERT INTO control.rollouts (rollout_id, serial, charter, text_hash, fresh_for_ms, first_cell,
       phase, share_basis_points, limits, base_serial, return_approvals, stopped_by, ended_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
     ON CONFLICT (rollout_id) DO UPDATE SET serial = excluded.serial, charter = excluded.charter,
       text_hash = excluded.text_hash, fresh_for_ms = excluded.fresh_for_ms,
       phase = excluded.phase, base_serial = excluded.base_serial,
       return_approvals = excluded.return_approvals, stopped_by = excluded.stopped_by,
       ended_at = excluded.ended_at`,
    [
      rollout.rolloutId,
      rollout.serial,
      rollout.text,
      rollout.textHash,
      rollout.freshForMs,
      rollout.firstCell,
      rollout.phase,
      rollout.shareBasisPoints,
      JSON.stringify(rollout.limits),
      rollout.baseSerial,
      JSON.stringify(rollout.returnApprovals),
      rollout.stoppedBy ?? null,
      rollout.endedAt ?? null,
    ],
  );
}

/** Keeps what a process of a cell counted, in place of what it told before. */
export async function putReport(
  tx: Transaction,
  at: { readonly rolloutId: string; readonly cell: CellId },
  report: RolloutReport,
): Promise<void> {
  await tx.query(
    `INSERT INTO control.rollout_reports (rollout_id, cell, replica, decided, stricter, looser,
       errors, latency_micros, latency_micros_max, kinds)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (rollout_id, cell, replica) DO UPDATE SET decided = excluded.decided,
       stricter = excluded.stricter, looser = excluded.looser, errors = excluded.errors,
       latency_micros = excluded.latency_micros,
       latency_micros_max = excluded.latency_micros_max, kinds = excluded.kinds`,
    [
      at.rolloutId,
      at.cell,
      report.replica,
      report.decided,
      report.stricter,
      report.looser,
      report.errors,
      report.latencyMicros,
      report.latencyMicrosMax,
      JSON.stringify(report.kinds),
    ],
  );
}

interface ReportRow {
  readonly cell: string;
  readonly decided: string;
  readonly stricter: string;
  readonly looser: string;
  readonly errors: string;
  readonly latency_micros: string;
  readonly latency_micros_max: string;
  readonly kinds: readonly DifferenceKind[];
}

const NO_FIGURES: CanaryFigures = {
  decided: 0,
  stricter: 0,
  looser: 0,
  errors: 0,
  latencyMicros: 0,
  latencyMicrosMax: 0,
  kinds: [],
};

const toFigures = (row: ReportRow): CanaryFigures => ({
  decided: Number(row.decided),
  stricter: Number(row.stricter),
  looser: Number(row.looser),
  errors: Number(row.errors),
  latencyMicros: Number(row.latency_micros),
  latencyMicrosMax: Number(row.latency_micros_max),
  kinds: row.kinds,
});

function add(left: CanaryFigures, right: CanaryFigures): CanaryFigures {
  const kinds = new Map<string, DifferenceKind>();
  for (const kind of [...left.kinds, ...right.kinds]) {
    const { count, ...what } = kind;
    const key = JSON.stringify(Object.entries(what).sort(([a], [b]) => (a < b ? -1 : 1)));
    kinds.set(key, { ...kind, count: count + (kinds.get(key)?.count ?? 0) });
  }
  return {
    decided: left.decided + right.decided,
    stricter: left.stricter + right.stricter,
    looser: left.looser + right.looser,
    errors: left.errors + right.errors,
    latencyMicros: left.latencyMicros + right.latencyMicros,
    latencyMicrosMax: Math.max(left.latencyMicrosMax, right.latencyMicrosMax),
    kinds: [...kinds.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, DIFFERENCE_KINDS_COUNT_MAX),
  };
}

/** Everything that was counted for a rollout, summed and cell by cell. */
export async function sumReports(
  tx: Transaction,
  rolloutId: string,
): Promise<Pick<RolloutAnswer, 'figures' | 'cells'>> {
  const { rows } = await tx.query<ReportRow>(
    `SELECT cell, decided::text, stricter::text, looser::text, errors::text, latency_micros::text,
       latency_micros_max::text, kinds
     FROM control.rollout_reports WHERE rollout_id = $1 ORDER BY cell, replica`,
    [rolloutId],
  );
  const byCell = new Map<string, CanaryFigures>();
  for (const row of rows) {
    byCell.set(row.cell, add(byCell.get(row.cell) ?? NO_FIGURES, toFigures(row)));
  }
  return {
    figures: [...byCell.values()].reduce(add, NO_FIGURES),
    cells: [...byCell].map(([cell, figures]) => ({ cell: parseCellId(cell), ...figures })),
  };
}
