// SPDX-License-Identifier: Apache-2.0
// Whether this cell may serve over the database that it found. A database can be set back behind a cell's
// back, by a backup, a snapshot or PostgreSQL's own tools; what was erased would be there again. So a cell
// asks those that such a thing cannot set back: the copy of its ledger, and its witnesses.
// After a restore witnesses must answer. At any other start they may be silent: a cell serves its tenants
// with nothing from outside its region (invariant 5); but one that is ahead closes the gate at any time.
import { createHash } from 'node:crypto';
import type { CellId, Clock } from '@bailiwick/kernel';
import { isCoded, parseTenantId } from '@bailiwick/kernel';
import { type SignedCheckpoint, verifyCheckpoint, verifyConsistency } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { findCopiedSize } from '../backups/ledger-copy.ts';
import type { BackupVault } from '../backups/sealed-object.ts';
import { CellError } from '../errors.ts';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import type { CellServices } from '../services.ts';
import type { CellWitnesses } from '../witnesses/cell-witnesses.ts';
import type { WitnessClient } from '../witnesses/witness-client.ts';
import { rebuildIndexes } from './rebuild-indexes.ts';
import { findRestore, markRebuilt, markServed, type Restore } from './restore-store.ts';

const ASK_MS_MAX = 2_000;
const RETRY_MS = 250;
/** How often the rounds are looked at once the gate is open. */
const WATCH_MS = 1_000;

export interface ServeGatePorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly log: Log;
  readonly database: Database;
  readonly ledger: CellLedger;
  readonly witnesses: CellWitnesses;
  readonly vault: BackupVault | undefined;
  readonly services: CellServices;
  /** False before the first bundle: nothing is served then, and no witness's address is known. */
  readonly hasLaw: () => boolean;
}

export interface ServeGate {
  /** True from the beginning where the ledger must not grow before the checks have passed. */
  readonly isHeld: boolean;
  /** Resolves when the cell serves for the first time. */
  readonly opened: Promise<void>;
  /** @throws {CellError} `RESTORE_NOT_REPLAYED`, `RESTORE_UNWITNESSED` */
  assertServing(): void;
  /** Begins the checks of a start; until they are done nothing is served. */
  start(): void;
  stop(): Promise<void>;
}

/** Makes the gate. Without `start` it is open unless the database is of a restore that never served. */
export async function createServeGate(ports: ServeGatePorts): Promise<ServeGate> {
  const restore = await findRestore(ports.database.pool);
  const gate = new Gate(ports, restore?.state === 'served' ? undefined : restore);
  await gate.look();
  return gate;
}

class Gate implements ServeGate {
  readonly opened: Promise<void>;
  readonly #ports: ServeGatePorts;
  #restore: Restore | undefined;
  #problem: CellError | undefined;
  #isStopped = false;
  #loop: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #tellOpened: () => void = () => undefined;

  constructor(ports: ServeGatePorts, restore: Restore | undefined) {
    this.#ports = ports;
    this.#restore = restore;
    this.opened = new Promise((resolve) => {
      this.#tellOpened = resolve;
    });
    if (restore !== undefined) this.#problem = unwitnessed();
  }

  get isHeld(): boolean {
    return this.#problem !== undefined;
  }

  /** The first look: a ledger that is behind its own copy must not grow into another one. */
  async look(): Promise<void> {
    try {
      await this.#checkCopy();
    } catch (error) {
      if (!isProblem(error)) throw error;
      this.#problem = error;
    }
  }

  assertServing(): void {
    if (this.#problem !== undefined) throw this.#problem;
  }

  start(): void {
    if (this.#loop !== undefined) return;
    const { witnesses, vault } = this.#ports;
    const hasNobodyToAsk = !witnesses.hasCosigners && vault === undefined;
    if (this.#restore === undefined && hasNobodyToAsk) this.#tellOpened();
    else {
      this.#problem ??= new CellError('RESTORE_UNWITNESSED', 'the cell is checking its ledger');
      this.#loop = this.#run();
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const before = this.#problem?.code;
      try {
        await this.#check();
        this.#problem = undefined;
        this.#tellOpened();
      } catch (error) {
        this.#problem = isProblem(error) ? error : unwitnessed();
        if (!isProblem(error)) this.#ports.log.warn('could not be checked', { error });
      }
      const after = this.#problem?.code;
      if (before !== after && after === 'RESTORE_NOT_REPLAYED') {
        this.#ports.log.error('the database is behind its ledger: nothing is served', {
          code: after,
        });
      }
      await this.#rest(after === undefined ? WATCH_MS : RETRY_MS);
      if (after === undefined) await this.#watch();
    }
  }

  /** Open: only a witness that is ahead closes it again. */
  async #watch(): Promise<void> {
    const { witnesses } = this.#ports;
    while (!this.#isStopped) {
      const standings = Object.values(witnesses.rounds.state.standings);
      if (standings.includes('ahead')) return;
      await this.#rest(WATCH_MS);
    }
  }

  async #rest(ms: number): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    timer.unref();
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }

  async #check(): Promise<void> {
    const restore = this.#restore;
    if (restore !== undefined && restore.state !== 'loaded') {
      throw new CellError('RESTORE_NOT_REPLAYED', 'a restore into this database has not ended');
    }
    await this.#checkCopy();
    if (restore?.isForced !== true) await this.#checkWitnesses(restore !== undefined);
    if (restore !== undefined) await this.#finish(restore);
  }

  /** The copy of the ledger lies in place: it can always be asked. */
  async #checkCopy(): Promise<void> {
    const { vault, ledger } = this.#ports;
    if (vault === undefined) return;
    const copied = await findCopiedSize(vault, ledger.epoch);
    const { size } = await ledger.store.readHead(ledger.epoch);
    if (copied > size) throw behind({ size, known: copied });
  }

  async #checkWitnesses(mustAnswer: boolean): Promise<void> {
    const { witnesses, hasLaw } = this.#ports;
    if (!hasLaw()) throw unwitnessed();
    const answers = await Promise.all(
      witnesses.clients.map((client) => this.#ask(client).catch(() => undefined)),
    );
    const given = answers.filter((answer) => answer !== undefined);
    const needed = Math.min(witnesses.quorum, witnesses.clients.length);
    if (mustAnswer && (needed === 0 || given.length < needed)) throw unwitnessed();
    for (const answer of given) if (answer !== 'none') await this.#assertReached(answer);
  }

  /** What a witness last cosigned of this ledger, with both signatures; `none` when it knows none of it. */
  async #ask(client: WitnessClient): Promise<SignedCheckpoint | 'none'> {
    const { ledger } = this.#ports;
    const originHash = createHash('sha256').update(ledger.origin, 'utf8').digest('hex');
    const signal = AbortSignal.timeout(ASK_MS_MAX);
    const { status, body } = await client.readCheckpoint(originHash, { signal });
    if (status === 404) return 'none';
    if (status !== 200) throw unwitnessed();
    const checkpoint = verifyCheckpoint(body, { log: ledger.verifierKey, witnesses: [client.key] });
    if (checkpoint.signers.some(({ key }) => key === client.key)) return checkpoint;
    throw unwitnessed();
  }

  /** This database holds all that was cosigned, and the same. */
  async #assertReached({ size: known, root: oldRoot }: SignedCheckpoint): Promise<void> {
    const { ledger } = this.#ports;
    const { size, root } = await ledger.store.readHead(ledger.epoch);
    if (known > size) throw behind({ size, known });
    if (known === 0) return;
    try {
      const sizes = { oldSize: known, size };
      const hashes = await ledger.prover.proveConsistency(sizes);
      verifyConsistency({ ...sizes, oldRoot, root, hashes });
    } catch (cause) {
      if (!isCoded(cause, 'LEDGER_PROOF_INVALID')) throw cause;
      throw new CellError(
        'RESTORE_NOT_REPLAYED',
        'the ledger of this database is not the one that witnesses cosigned',
        { cause },
      );
    }
  }

  /** The last steps of a restore: index values, the entry, the mark. */
  async #finish(restore: Restore): Promise<void> {
    const { database, services, log } = this.#ports;
    let rebuiltCount = 0;
    let leftCount = 0;
    let waitingCount = 0;
    for (const id of restore.rebuild) {
      const tenantId = parseTenantId(id);
      try {
        const rebuilt = await rebuildIndexes(services, tenantId);
        rebuiltCount += rebuilt.rebuiltCount;
        leftCount += rebuilt.leftCount;
        await markRebuilt(database, { restoreId: restore.restoreId, tenantId });
      } catch (error) {
        // A customer's key that is off stays off: that tenant's records wait, nobody else does.
        waitingCount += 1;
        log.warn('index values of a tenant were not rebuilt', { error });
      }
    }
    const { restoreId, backupId, backupAt, replayFrom, replayedTo, outcome, isForced } = restore;
    await services.entries.record(undefined, {
      kind: 'restore',
      facts: {
        ...{ restore: restoreId, backup: backupId, backupAt, replayFrom, replayedTo },
        ...outcome,
        ...{ rebuiltCount, leftCount, waitingCount, forced: isForced },
      },
    });
    await markServed(database, restoreId);
    this.#restore = undefined;
    log.info('restored and serving', { count: rebuiltCount });
  }
}

function unwitnessed(): CellError {
  return new CellError(
    'RESTORE_UNWITNESSED',
    'witnesses have not yet said how far the ledger of this cell goes',
  );
}

function behind(details: { readonly size: number; readonly known: number }): CellError {
  return new CellError(
    'RESTORE_NOT_REPLAYED',
    'the database of this cell is behind its ledger: replay it with `bailiwick restore`',
    { details },
  );
}

function isProblem(error: unknown): error is CellError {
  return isCoded(error, 'RESTORE_NOT_REPLAYED') || isCoded(error, 'RESTORE_UNWITNESSED');
}
