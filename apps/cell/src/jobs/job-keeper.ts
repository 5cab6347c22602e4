// SPDX-License-Identifier: Apache-2.0
// Gives jobs back that nobody works on any more. The queue locks a job for the process that took it and looks
// at that lock again only after hours; a process that was killed would keep its jobs for so long. Here each
// process holds an advisory lock of the database for as long as it lives, and frees the jobs of those whose
// lock is gone. It also keeps waiting jobs from waiting longer than they should: what is retried for good
// reasons (another cell is down) must go on soon after the reason has passed.
//
// A lock can be gone for a moment without its process (the connection was lost): then a job may run twice at
// once. Jobs must stand that anyway: each of their steps is fenced by the state that it starts from.
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { PoolClient } from 'pg';

export interface JobKeeper {
  /** The queue's name for who takes jobs in this process from now on. */
  holdFor(workerId: string): void;
  start(): void;
  stop(): Promise<void>;
}

/** First half of the advisory locks' keys: nobody else's. */
const LOCK_CLASS = 0x6a6f6273;
const SWEEP_MS = 2_000;
/** A job taken so lately may be of a process that has no lock yet. */
const YOUNG_SECONDS = 3;
/** Longest wait from one try to the next. */
const RETRY_SECONDS_MAX = 20;
/** Tries told to the queue: it gives a job up for ever at its own limit, and we do not. */
const ATTEMPTS_COUNT_MAX = 12;

const FREE = `SELECT jobs.force_unlock_workers(array_agg(DISTINCT j.locked_by))
  FROM jobs.jobs j
 WHERE j.locked_at < now() - interval '${YOUNG_SECONDS} seconds'
   AND NOT EXISTS (
     SELECT FROM pg_locks l
      WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ${LOCK_CLASS} AND l.objsubid = 2
        AND l.objid = (hashtext(j.locked_by)::bigint & 4294967295)::oid
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
HAVING count(*) > 0`;

const HURRY = `SELECT jobs.reschedule_jobs(
    array_agg(id), run_at => now() + interval '${RETRY_SECONDS_MAX} seconds',
    attempts => least(max(attempts), ${ATTEMPTS_COUNT_MAX})::int)
  FROM jobs.jobs
 WHERE locked_at IS NULL AND attempts > 0
   AND run_at > now() + interval '${RETRY_SECONDS_MAX} seconds'
HAVING count(*) > 0`;

/** Makes the keeper of a process; it holds one connection. */
export function createJobKeeper({
  database,
  log,
}: {
  readonly database: Database;
  readonly log: Log;
}): JobKeeper {
  return new Keeper(database, log);
}

class Keeper implements JobKeeper {
  readonly #database: Database;
  readonly #log: Log;
  #workerId: string | undefined;
  #client: PoolClient | undefined;
  /** For whom the connection holds a lock. */
  #held: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(database: Database, log: Log) {
    this.#database = database;
    this.#log = log;
  }

  holdFor(workerId: string): void {
    this.#workerId = workerId;
    this.#turn();
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(), SWEEP_MS);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
    this.#drop();
  }

  #turn(): void {
    this.#sweeping = this.#sweeping.then(() => this.#sweep());
  }

  async #sweep(): Promise<void> {
    if (this.#isStopped) return;
    try {
      const client = await this.#hold();
      await client.query(FREE);
      await client.query(HURRY);
    } catch (error) {
      this.#drop();
      this.#log.warn('jobs were not looked after', { error });
    }
  }

  /** The connection with the lock; after a loss, another one with the lock taken anew. */
  async #hold(): Promise<PoolClient> {
    this.#client ??= await this.#connect();
    const wanted = this.#workerId;
    if (wanted === this.#held || wanted === undefined) return this.#client;
    await this.#client.query('SELECT pg_advisory_unlock_all()');
    await this.#client.query('SELECT pg_advisory_lock_shared($1, hashtext($2))', [
      LOCK_CLASS,
      wanted,
    ]);
    this.#held = wanted;
    return this.#client;
  }

  async #connect(): Promise<PoolClient> {
    const client = await this.#database.pool.connect();
    client.on('error', () => undefined);
    return client;
  }

  #drop(): void {
    this.#client?.release(true);
    this.#client = undefined;
    this.#held = undefined;
  }
}
