// SPDX-License-Identifier: Apache-2.0
// The loop that gives durable entries their positions and signs what is durable. Every replica of a cell
// runs one; the head row decides who writes, and signing twice what is durable signs the same thing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '@bailiwick/kernel';
import {
  createProver,
  isSameBytes,
  LedgerError,
  type LedgerErrorCode,
  type LogHead,
  type LogSigner,
  type LogStore,
  type Prover,
  verifyCheckpoint,
  verifyConsistency,
} from '@bailiwick/ledger';
import type { Log } from '@bailiwick/telemetry';
import {
  BACKOFF_MS_MAX,
  CHECKPOINT_INTERVAL_MS,
  STEP_ENTRIES_COUNT_MAX,
  STEP_INTERVAL_MS,
} from './limits.ts';

/** After these nothing is sequenced or signed any more: somebody has to look. */
const FATAL: readonly string[] = [
  'LEDGER_EPOCH_CLOSED',
  'LEDGER_HEAD_INVALID',
  'LEDGER_HEAD_REGRESSED',
] satisfies readonly LedgerErrorCode[];
/** Another replica is at work: PostgreSQL's lock_not_available. */
const LOCK_NOT_AVAILABLE = '55P03';

export interface SequencerOptions {
  readonly epoch: number;
  readonly store: LogStore;
  readonly signer: LogSigner;
  readonly clock: Clock;
  readonly log: Log;
}

/** What the sequencer has reached; for health and figures. */
export interface SequencerState {
  readonly isRunning: boolean;
  readonly signedSize: number;
  /** Set once it has given up for good. */
  readonly failure?: string;
}

/** Gives positions and signs heads until it is stopped. */
export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #prover: Prover;
  #loop: Promise<void> | undefined;
  #isStopping = false;
  #isHurried = false;
  #wake: (() => void) | undefined;
  #failures = 0;
  #failure: string | undefined;
  /** The largest head that this process knows to be signed. */
  #signed: LogHead | undefined;
  #signedAtMs = 0;
  readonly #listeners = new Set<() => void>();

  constructor(options: SequencerOptions) {
    this.#options = options;
    this.#prover = createProver(
      async (address) => {
        const tile = await options.store.readTile(options.epoch, address);
        if (tile !== undefined) return tile;
        throw new LedgerError('LEDGER_HEAD_INVALID', 'a tile of the log is absent');
      },
      { tilesCountMax: 64 },
    );
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when the step under way has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    this.#wake?.();
    await this.#loop;
  }

  /** Somebody waits for a checkpoint: the next step begins now. */
  hurry(): void {
    this.#isHurried = true;
    this.#wake?.();
  }

  /** Resolves at the next signed head or after `waitMs`. */
  async nextSigned(waitMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    this.#listeners.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#listeners.delete(resolve);
  }

  get state(): SequencerState {
    const failure = this.#failure;
    return {
      isRunning: this.#loop !== undefined && !this.#isStopping && failure === undefined,
      signedSize: this.#signed?.size ?? 0,
      ...(failure === undefined ? {} : { failure }),
    };
  }

  /** One step: positions for what waits, then a signature. True when more waits. */
  async step(): Promise<boolean> {
    const { epoch, store, clock } = this.#options;
    const step = { epoch, entriesCountMax: STEP_ENTRIES_COUNT_MAX };
    const { head, entriesCount } = await store.sequence(step);
    const isMore = entriesCount >= STEP_ENTRIES_COUNT_MAX;
    const isDue = clock.monotonicMs() - this.#signedAtMs >= CHECKPOINT_INTERVAL_MS;
    if (!isMore || isDue) await this.#sign(head);
    return isMore;
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      let isMore = false;
      this.#isHurried = false;
      try {
        isMore = await this.step();
        this.#failures = 0;
      } catch (error) {
        if (this.#isFatal(error)) return;
      }
      if (isMore) await nextTurn();
      else await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    if (this.#isStopping || (this.#isHurried && this.#failures === 0)) return;
    const backoffMs = Math.min(BACKOFF_MS_MAX, STEP_INTERVAL_MS * 2 ** Math.min(this.#failures, 8));
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, backoffMs);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
    this.#wake = undefined;
  }

  #isFatal(error: unknown): boolean {
    const { log, epoch } = this.#options;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    if (code === LOCK_NOT_AVAILABLE) return false;
    this.#failures += 1;
    if (!FATAL.includes(code)) {
      log.warn('ledger step failed', { error, epoch, attempt: this.#failures });
      return false;
    }
    this.#failure = code;
    log.error('ledger stopped for good', { error, epoch });
    return true;
  }

  /**
   * Signs a head that the store has committed.
   *
   * SECURITY: a head is signed only when the last signed one is its beginning, by proof from the tiles. A
   * database that was set back or rewritten under a running cell is not signed.
   */
  async #sign(sequenced: LogHead): Promise<void> {
    const { epoch, store, signer, clock } = this.#options;
    this.#signed ??= await this.#readSigned();
    const signed = this.#signed;
    // Another replica may have sequenced and signed more since: then the head of now is what counts.
    const isBehind = sequenced.size < (signed?.size ?? 0);
    const head = isBehind ? await store.readHead(epoch) : sequenced;
    if (signed !== undefined && signed.size > 0) await this.#assertExtends(signed, head);
    if (head.size === (signed?.size ?? 0)) return;
    const note = signer.signCheckpoint(head);
    await store.saveCheckpoint(epoch, { size: head.size, note });
    this.#signed = head;
    this.#signedAtMs = clock.monotonicMs();
    for (const listener of this.#listeners) listener();
  }

  /** What was signed before this process began. */
  async #readSigned(): Promise<LogHead | undefined> {
    const { epoch, store, signer } = this.#options;
    const stored = await store.readCheckpoint(epoch);
    if (stored === undefined) return undefined;
    try {
      const { size, root } = verifyCheckpoint(stored.note, { log: signer.verifierKey });
      return { epoch, size, root };
    } catch (cause) {
      const message = 'the stored checkpoint is not one that this log signed';
      throw new LedgerError('LEDGER_HEAD_INVALID', message, { cause });
    }
  }

  async #assertExtends(signed: LogHead, head: LogHead): Promise<void> {
    if (head.size === signed.size && isSameBytes(head.root, signed.root)) return;
    try {
      const sizes = { oldSize: signed.size, size: head.size };
      const hashes = await this.#prover.proveConsistency(sizes);
      verifyConsistency({ ...sizes, oldRoot: signed.root, root: head.root, hashes });
    } catch (cause) {
      const isProof = cause instanceof LedgerError && cause.code === 'LEDGER_PROOF_INVALID';
      if (!isProof) throw cause;
      throw new LedgerError('LEDGER_HEAD_REGRESSED', 'the head does not extend what was signed', {
        cause,
        details: { signedSize: signed.size, size: head.size },
      });
    }
  }
}
