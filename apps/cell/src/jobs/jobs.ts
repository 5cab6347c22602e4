// SPDX-License-Identifier: Apache-2.0
// The cell's job queue: graphile-worker over tables of its own in schema `jobs`, one queue per cell and
// no scheduler outside. Payloads carry ids only (invariant 7); a job finds everything else itself.

import { EventEmitter } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { Log, Meter } from '@bailiwick/telemetry';
import {
  Logger,
  type Runner,
  run,
  runMigrations,
  type TaskList,
  type WorkerEvents,
} from 'graphile-worker';
import type { PoolClient } from 'pg';
import type { Release } from '../backpressure.ts';
import { createJobKeeper } from './job-keeper.ts';

/** What a transfer's job carries. */
export interface TransferJob {
  readonly tenantId: TenantId;
  readonly transferId: string;
}

/** Kinds of work beside transfers. */
export type TaskKind = 'retention' | 'erasure' | 'request';

/** What such a job carries. */
export interface TaskJob {
  readonly tenantId: TenantId;
  readonly id: string;
}

/** Adds a job in the caller's transaction; invariant 7: it carries ids only. */
export async function addTask(
  tx: PoolClient,
  task: TaskJob & { readonly kind: TaskKind; readonly delayMs?: number },
): Promise<void> {
  await tx.query(
    `SELECT jobs.add_job($1, json_build_object('tenantId', $2::text, 'id', $3::text),
       job_key => $3::text, max_attempts => 25, run_at => now() + $4 * interval '1 millisecond')`,
    [task.kind, task.tenantId, task.id, task.delayMs ?? 0],
  );
}

/** Once a day, at a quiet hour (UTC). */
const DAILY = '17 2 * * * daily';

export interface JobPorts {
  readonly database: Database;
  readonly log: Log;
  readonly meter: Meter;
  readonly runTransfer: (job: TransferJob) => Promise<void>;
  /** Other work by its kind; each is taken up again until it ends. */
  readonly tasks: Readonly<Record<TaskKind, (job: TaskJob) => Promise<void>>>;
  /** Called once a day by the queue's own clock. */
  readonly runDaily: () => Promise<void>;
  /** A place for a job; it waits while what matters more needs all of them. */
  readonly admit: () => Promise<Release>;
}

export interface Jobs {
  /** Installs the queue's tables; jobs can be added from now on. */
  prepare(): Promise<void>;
  start(): Promise<void>;
  /** Lets running jobs end. */
  stop(): Promise<void>;
}

const SCHEMA = 'jobs';
const CONCURRENT_COUNT = 2;
const POLL_MS = 1_000;
/** Without it a failure to write down a job's end would be nobody's, and end the process. */
const RELEASE_AT_ONCE = { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } };
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Makes the queue of a cell. */
export function createJobs(ports: JobPorts): Jobs {
  const { database, log, meter } = ports;
  const finished = meter.createCounter('bailiwick.jobs', { description: 'jobs by result' });
  let runner: Runner | undefined;
  let isStopping = false;
  const keeper = createJobKeeper({ database, log });
  // The queue keeps connections to itself for long; one that breaks is replaced by the pool.
  database.pool.on('connect', (client) => client.on('error', () => undefined));
  const options = {
    pgPool: database.pool,
    schema: SCHEMA,
    // SECURITY: the queue's own lines could quote an error's message; ours say what is needed.
    logger: new Logger(() => () => undefined),
    noHandleSignals: true,
  };
  const transfer = async (payload: unknown): Promise<void> => {
    try {
      await ports.runTransfer(parseTransferJob(payload));
      finished.add(1, { kind: 'transfer', result: 'done' });
    } catch (error) {
      finished.add(1, { kind: 'transfer', result: 'failed' });
      log.warn('job will be tried again', { kind: 'transfer', error });
      // The queue stores the message of what is thrown: a code says enough and quotes nothing.
      throw new Error('the transfer is to be tried again');
    }
  };
  return {
    async prepare() {
      await runMigrations(options);
    },
    async start() {
      const events: WorkerEvents = new EventEmitter();
      events.on('pool:create', ({ workerPool }) => keeper.holdFor(workerPool.id));
      keeper.start();
      const begin = async (): Promise<Runner> => {
        const started = await run({
          ...options,
          events,
          preset: RELEASE_AT_ONCE,
          concurrency: CONCURRENT_COUNT,
          pollInterval: POLL_MS,
          taskList: inTurn(ports, {
            ...{ transfer, ...toTasks(ports, finished) },
            daily: () => ports.runDaily(),
          }),
          crontab: DAILY,
        });
        // A queue that could not write down how a job ended gives itself up; another one takes its place.
        started.promise.catch(() => undefined).finally(() => again(started));
        return started;
      };
      const again = async (ended: Runner): Promise<void> => {
        while (!isStopping && runner === ended) {
          log.warn('the job queue has ended and is started again');
          await wait(POLL_MS);
          if (!isStopping) runner = await begin().catch(() => ended);
        }
      };
      runner = await begin();
    },
    async stop() {
      isStopping = true;
      await runner?.stop().catch(() => undefined);
      runner = undefined;
      await keeper.stop();
    },
  };
}

/** Each job holds one of the cell's places for background work: jobs give way to everybody who waits. */
function inTurn({ admit }: Pick<JobPorts, 'admit'>, tasks: TaskList): TaskList {
  return Object.fromEntries(
    Object.entries(tasks).map(([name, work]) => [
      name,
      async (...parameters: Parameters<NonNullable<typeof work>>) => {
        const release = await admit();
        try {
          return await work?.(...parameters);
        } finally {
          release();
        }
      },
    ]),
  );
}

function toTasks(
  { tasks, log }: JobPorts,
  finished: { add(count: number, attributes: Record<string, string>): void },
): TaskList {
  const toTask =
    (kind: string, work: (job: TaskJob) => Promise<void>) =>
    async (payload: unknown): Promise<void> => {
      try {
        await work(parseTaskJob(payload));
        finished.add(1, { kind, result: 'done' });
      } catch (error) {
        finished.add(1, { kind, result: 'failed' });
        log.warn('job will be tried again', { kind, error });
        throw new Error('the job is to be tried again');
      }
    };
  return Object.fromEntries(
    Object.entries(tasks).map(([kind, work]) => [kind, toTask(kind, work)]),
  );
}

function parseTaskJob(payload: unknown): TaskJob {
  if (typeof payload !== 'object' || payload === null) throw new Error('not a job of ours');
  const { tenantId, id } = payload as Partial<Record<keyof TaskJob, unknown>>;
  if (typeof tenantId !== 'string' || typeof id !== 'string' || !UUID.test(id)) {
    throw new Error('not a job of ours');
  }
  return { tenantId: parseTenantId(tenantId), id };
}

function parseTransferJob(payload: unknown): TransferJob {
  if (typeof payload !== 'object' || payload === null) throw new Error('not a job of ours');
  const { tenantId, transferId } = payload as Partial<Record<keyof TransferJob, unknown>>;
  if (typeof tenantId !== 'string' || typeof transferId !== 'string' || !UUID.test(transferId)) {
    throw new Error('not a job of ours');
  }
  return { tenantId: parseTenantId(tenantId), transferId };
}
