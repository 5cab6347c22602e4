// SPDX-License-Identifier: Apache-2.0
// Nothing stands in the middle: what was begun has ended, or is younger than the time that it may take.
import type { Pool, PoolClient } from 'pg';
import type { CheckProblemKind, Findings } from './findings.ts';

/** Times after which something that is not finished counts as stuck. */
export interface StuckLimits {
  /** Transfers, erasures, changes of keys, jobs. */
  readonly workMsMax: number;
}

interface Question {
  readonly problem: CheckProblemKind;
  /** Gives `about` of what is unfinished and older than $1 seconds. */
  readonly text: string;
}

const QUESTIONS: readonly Question[] = [
  {
    problem: 'inbox-stuck',
    text: `SELECT 'batch ' || batch_id AS about FROM ledger.inbox
            WHERE batch_id < (SELECT coalesce(max(batch_id), 0) FROM ledger.batches) - 4096 AND $1 >= 0`,
  },
  {
    problem: 'transfer-unfinished',
    text: `SELECT 'transfer ' || transfer_id || ' ' || state AS about FROM cell.transfers
            WHERE state IN ('accepted', 'prepared', 'delivered')
              AND updated_at < now() - make_interval(secs => $1)`,
  },
  {
    problem: 'erasure-unfinished',
    text: `SELECT 'erasure ' || erasure_id || ' ' || state AS about FROM keys.erasures
            WHERE state <> 'done' AND accepted_at < now() - make_interval(secs => $1)`,
  },
  {
    problem: 'key-change-unfinished',
    text: `SELECT 'change ' || change_id AS about FROM keys.changes
            WHERE effective_at IS NULL AND accepted_at < now() - make_interval(secs => $1)`,
  },
  {
    problem: 'key-change-unfinished',
    text: `SELECT 'rotation ' || rotation_id AS about FROM keys.rotations
            WHERE state = 'running' AND started_at < now() - make_interval(secs => $1)`,
  },
  {
    problem: 'request-unfinished',
    text: `SELECT 'request ' || holder AS about FROM cell.idempotency_keys
            WHERE status IS NULL AND held_until < now() - make_interval(secs => $1)`,
  },
];

const TABLES: readonly (readonly [what: string, table: string])[] = [
  ['transfers', 'cell.transfers'],
  ['erasures', 'keys.erasures'],
  ['key changes', 'keys.changes'],
  ['idempotency keys', 'cell.idempotency_keys'],
];

/** Looks for work that stands still. */
export async function checkStates(
  tx: PoolClient,
  findings: Findings,
  { workMsMax }: StuckLimits,
): Promise<void> {
  for (const [what, table] of TABLES) {
    const { rows } = await tx.query<{ count: string }>(`SELECT count(*) AS count FROM ${table}`);
    findings.count(what, Number(rows[0]?.count ?? 0));
  }
  for (const { problem, text } of QUESTIONS) {
    const { rows } = await tx.query<{ about: string }>(text, [workMsMax / 1000]);
    for (const { about } of rows) findings.add(problem, about);
  }
}

/** Jobs that nobody works on and nobody will: given up, or held by a worker that is gone. */
export async function checkJobs(
  pool: Pool,
  findings: Findings,
  { workMsMax }: StuckLimits,
): Promise<void> {
  const { rows } = await pool.query<{ about: string; is_stuck: boolean }>(
    `SELECT 'job ' || id || ' ' || task_identifier AS about,
            (attempts >= max_attempts OR locked_at < now() - make_interval(secs => $1)) AS is_stuck
       FROM jobs.jobs`,
    [workMsMax / 1000],
  );
  findings.count('jobs', rows.length);
  for (const { about, is_stuck } of rows) if (is_stuck) findings.add('job-stuck', about);
}
