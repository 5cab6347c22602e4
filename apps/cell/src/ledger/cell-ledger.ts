// SPDX-License-Identifier: Apache-2.0
// A cell's ledger put together: writer, sequencer, store, proofs.
import type { KeyObject } from 'node:crypto';
import type { CellId, Clock, Random } from '@bailiwick/kernel';
import {
  createLogSigner,
  createProver,
  LedgerError,
  type LogStore,
  type Prover,
  toOrigin,
  type VerifierKey,
} from '@bailiwick/ledger';
import { createPostgresLogStore, type Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { EntryWriter } from '../services.ts';
import { findBatchOf } from './entry-store.ts';
import { CellEntryWriter } from './entry-writer.ts';
import { GroupConnection, GroupWriter } from './group-writer.ts';
import { COVERAGE_POLL_MS } from './limits.ts';
import { Sequencer, type SequencerState } from './sequencer.ts';

export interface CellLedgerOptions {
  readonly cellId: CellId;
  /** From 1; a new one opens only after a restore behind the last cosigned size. */
  readonly epoch: number;
  /** Ed25519: signs checkpoints. */
  readonly privateKey: KeyObject;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export interface CellLedger {
  readonly epoch: number;
  readonly origin: string;
  readonly verifierKey: VerifierKey;
  readonly entries: EntryWriter;
  readonly store: LogStore;
  readonly prover: Prover;
  readonly state: SequencerState;
  /** Starts giving positions and signing. */
  start(): void;
  /** Sees what is queued durable, then stops. Close the database after it. */
  stop(): Promise<void>;
}

/** Puts a cell's ledger together; nothing runs before `start`. @throws {LedgerError} `LEDGER_KEY_INVALID` */
export function createCellLedger(options: CellLedgerOptions): CellLedger {
  const { cellId, epoch, privateKey, database, clock, random, log } = options;
  const origin = toOrigin(cellId, epoch);
  const signer = createLogSigner({ origin, privateKey });
  const store = createPostgresLogStore(database.pool);
  const sequencer = new Sequencer({ epoch, store, signer, clock, log });
  const connection = new GroupConnection(database.pool, log);
  const group = new GroupWriter(connection.append, clock);
  const entries = new CellEntryWriter({
    cellId,
    clock,
    random,
    group,
    awaitCovered: (batch, { timeoutMs }) =>
      awaitCovered({ store, sequencer, clock }, { batch, timeoutMs }),
    findBatch: (tenantId, entryId) =>
      database.withTenant(tenantId, (tx) => findBatchOf(tx, { tenantId, entryId })),
  });
  const prover = createProver(async (address) => {
    const tile = await store.readTile(epoch, address);
    if (tile !== undefined) return tile;
    throw new LedgerError('LEDGER_TILE_MISSING', 'a tile of the log is absent');
  });
  return {
    epoch,
    origin,
    verifierKey: signer.verifierKey,
    entries,
    store,
    prover,
    get state() {
      return sequencer.state;
    },
    start: () => sequencer.start(),
    async stop() {
      await group.close();
      await sequencer.stop();
      await connection.close();
    },
  };
}

/** Looks, hurries the sequencer, and looks again until the deadline. */
async function awaitCovered(
  ports: { readonly store: LogStore; readonly sequencer: Sequencer; readonly clock: Clock },
  options: { readonly batch: string; readonly timeoutMs: number },
): Promise<void> {
  const { store, sequencer, clock } = ports;
  const deadlineMs = clock.monotonicMs() + options.timeoutMs;
  for (;;) {
    const place = await store.findBatch(options.batch);
    if (place !== undefined) {
      const checkpoint = await store.readCheckpoint(place.epoch);
      if (checkpoint !== undefined && checkpoint.size >= place.firstIndex + place.count) return;
    }
    const leftMs = deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) {
      throw new LedgerError('LEDGER_CHECKPOINT_LATE', 'no checkpoint covers the entry yet', {
        details: { timeoutMs: options.timeoutMs },
      });
    }
    sequencer.hurry();
    await sequencer.nextSigned(Math.min(leftMs, COVERAGE_POLL_MS));
  }
}
