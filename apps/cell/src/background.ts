// SPDX-License-Identifier: Apache-2.0
// What runs in a cell by itself: following the control plane, jobs, roll-ups, forgetting. None of it stands
// on a request's path, and all of it may fail for days without anybody waiting for it.

import type { TenantId } from '@bailiwick/kernel';
import type { Identity } from '@bailiwick/pki';
import type { MeterInPlace } from '@bailiwick/telemetry';
import type { Admission } from './backpressure.ts';
import { createKeyAnnouncer } from './control/announce-key.ts';
import type { PeerClient } from './control/peer-client.ts';
import { runErasure } from './erasures/erase-subject.ts';
import { createForgetter } from './idempotency/forget-answers.ts';
import type { IdempotencyStore } from './idempotency/idempotency-store.ts';
import { createJobs } from './jobs/jobs.ts';
import { type BundlePuller, createBundlePuller } from './law/bundle-puller.ts';
import { createCanaryReports } from './law/canary-reports.ts';
import type { CellLedger } from './ledger/cell-ledger.ts';
import { createEntryIndexer } from './ledger/entry-index.ts';
import { createBodyForgetter } from './ledger/forget-bodies.ts';
import { type RequestServices, runRequest } from './requests/run-request.ts';
import { startDailyRuns } from './retention/daily.ts';
import { runRetention } from './retention/run-retention.ts';
import { createRollups } from './rollups/rollups.ts';
import type { CellRuntime } from './runtime.ts';
import { createCourier } from './transfers/courier.ts';
import { runTransfer } from './transfers/run-transfer.ts';
import type { WitnessRounds } from './witnesses/witness-rounds.ts';

export interface BackgroundPorts {
  readonly runtime: CellRuntime;
  readonly identity: Identity;
  readonly control: PeerClient;
  readonly figures: MeterInPlace;
  readonly idempotency: IdempotencyStore;
  readonly admission: Admission;
  readonly rounds: WitnessRounds;
  /** Resolves when the cell may serve: until then nothing that was asked before is worked on. */
  readonly whenServing: Promise<void>;
  readonly ledger: CellLedger;
  readonly rights: RequestServices;
}

/** Jobs give way: a job that finds no place in so long is tried again later by its queue. */
const JOBS = { priority: 'background', waitMsMax: 60_000 } as const;

export interface Background {
  readonly puller: BundlePuller;
  start(): Promise<void>;
  /** Nothing new begins. */
  quiet(): Promise<void>;
  /** Lets running jobs end. */
  drain(): Promise<void>;
  close(): Promise<void>;
}

/** Makes all of it and installs the job queue's tables; nothing runs before `start`. */
export async function createBackground(ports: BackgroundPorts): Promise<Background> {
  const { runtime, identity, control, figures, idempotency, rounds, ledger } = ports;
  const { config, cellId, clock, database, law, log, meter, secrets } = runtime;
  const { pollMs } = config.control;
  const puller = createBundlePuller({ cellId, clock, law, control, log, meter }, { pollMs });
  const announcer = createKeyAnnouncer({ control, log }, { cellId, key: secrets.publicKeyText });
  const rollups = createRollups({ clock, control, log, figures: () => figures.counters() });
  const canaryReports = createCanaryReports({ law, control, entries: runtime.entries, log });
  const courier = createCourier({ identity, control, law });
  const jobs = createJobs({
    database,
    log,
    meter,
    runTransfer: (job) => runTransfer({ runtime, courier }, job),
    tasks: {
      retention: ({ tenantId, id }) => runRetention(runtime, { tenantId, runId: id }),
      erasure: async ({ tenantId, id }) => {
        await runtime.orders.prepare(tenantId);
        await runErasure(ports.rights, { tenantId, erasureId: id });
      },
      request: async ({ tenantId, id }) => {
        await runRequest(ports.rights, { tenantId, requestId: id });
      },
    },
    runDaily: () => startDailyRuns(runtime),
    admit: async () => ports.admission.admit('jobs', JOBS),
  });
  const listTenants = (): readonly TenantId[] =>
    (law.find()?.bundle.tenants ?? []).map(({ tenantId }) => tenantId);
  const forgetter = createForgetter({ store: idempotency, log, listTenants });
  const { epoch } = ledger;
  const readHeadSize = async (): Promise<number> => (await ledger.store.readHead(epoch)).size;
  const indexer = createEntryIndexer({ database, epoch, readHeadSize, listTenants, log });
  const { bodiesKeptDays: keepDays } = config.ledger;
  const { entries } = runtime;
  const bodies =
    keepDays === undefined
      ? undefined
      : createBodyForgetter({ database, entries, clock, log, listTenants, keepDays });
  await jobs.prepare();
  let isQuiet = false;
  return {
    puller,
    async start() {
      puller.start();
      announcer.start();
      rollups.start();
      canaryReports.start();
      forgetter.start();
      rounds.start();
      indexer.start();
      bodies?.start();
      void ports.whenServing
        .then(() => (isQuiet ? undefined : jobs.start()))
        .catch((error: unknown) => log.error('jobs could not be started', { error }));
    },
    async quiet() {
      isQuiet = true;
      rollups.stop();
      canaryReports.stop();
      forgetter.stop();
      await Promise.all([puller.stop(), announcer.stop(), rounds.stop(), indexer.stop()]);
      await bodies?.stop();
    },
    drain: () => jobs.stop(),
    close: () => courier.close(),
  };
}
