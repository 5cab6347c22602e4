// SPDX-License-Identifier: Apache-2.0
// Which processes may use keys until when, and what each must let go of (invariant 8). One lease a
// process; a generation is one life of the key service. A process that has not acknowledged a drop gets
// no renewal, so its lease runs out whatever it does.
import type { KeyObject } from 'node:crypto';
import { type CellId, type Clock, type ProcessId, toInstant } from '@bailiwick/kernel';
import {
  KeysError,
  LEASE_MARGIN_MS,
  LEASE_MS,
  type SignedStatement,
  signStatement,
  verifyStatement,
} from '@bailiwick/keys';
import type { Caller, Drop, NumberedDrop, Registration, Renewal } from './api.ts';

/** Drops remembered for processes that were away; who missed more starts anew. */
const DROPS_COUNT_MAX = 10_000;
const PROCESSES_COUNT_MAX = 1_024;

interface LeasedProcess {
  readonly processId: ProcessId;
  readonly publicKey: string;
  /** Monotonic instant, margin included. */
  leaseEndsAtMs: number;
  readonly unacknowledged: Set<number>;
  readonly listeners: Set<{
    readonly onDrop: (drop: NumberedDrop) => void;
    readonly onEnd: () => void;
  }>;
}

interface PendingDrop {
  readonly drop: Drop;
  readonly waiting: Set<ProcessId>;
  readonly statements: SignedStatement[];
  /** While leases of an earlier generation may live. */
  isGrace: boolean;
  readonly settle: (statements: readonly SignedStatement[]) => void;
}

export interface LeaseRegistryOptions {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly generation: number;
  readonly privateKey: KeyObject;
  readonly publicKey: string;
}

/** The leases of one generation. */
export class LeaseRegistry {
  readonly generation: number;
  readonly #options: LeaseRegistryOptions;
  readonly #startedAtMs: number;
  readonly #processes = new Map<ProcessId, LeasedProcess>();
  readonly #drops: NumberedDrop[] = [];
  readonly #pending = new Map<number, PendingDrop>();
  #revision = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LeaseRegistryOptions) {
    this.#options = options;
    this.generation = options.generation;
    this.#startedAtMs = options.clock.monotonicMs();
  }

  get revision(): number {
    return this.#revision;
  }

  get processCount(): number {
    return this.#processes.size;
  }

  register(process: { readonly processId: ProcessId; readonly publicKey: string }): Registration {
    this.#lapse();
    const known = this.#processes.get(process.processId);
    if (known !== undefined && known.publicKey !== process.publicKey) {
      refuse('the process is registered with another key');
    }
    if (known === undefined && this.#processes.size >= PROCESSES_COUNT_MAX) {
      refuse('too many processes');
    }
    // A process that registers again has dropped everything; what it had not acknowledged counts as
    // before until its old lease has run out.
    if (known === undefined) {
      this.#processes.set(process.processId, {
        ...process,
        leaseEndsAtMs: this.#leaseEnd(),
        unacknowledged: new Set(),
        listeners: new Set(),
      });
    }
    return {
      generation: this.generation,
      revision: this.#revision,
      leaseMs: LEASE_MS,
      publicKey: this.#options.publicKey,
    };
  }

  /** The caller's lease, or `KEYS_SERVICE_REFUSED`: then it must register again, having dropped all. */
  #require(caller: Caller): LeasedProcess {
    this.#lapse();
    if (caller.generation !== this.generation) refuse('the generation is another one by now');
    return this.#processes.get(caller.processId) ?? refuse('the process has no lease');
  }

  /** Before any key is handed out. */
  assertLeased(caller: Caller): void {
    this.#require(caller);
  }

  renew(caller: Caller, known: { readonly revision: number }): Renewal {
    const process = this.#require(caller);
    const oldest = this.#drops[0]?.revision ?? this.#revision + 1;
    if (known.revision > this.#revision || known.revision < oldest - 1) {
      // It missed more than is remembered, or comes from elsewhere.
      this.#remove(process, 'superseded');
      return refuse('the revision is not one of this generation');
    }
    const drops = this.#drops.filter(({ revision }) => revision > known.revision);
    const isExtended = process.unacknowledged.size === 0;
    if (isExtended) process.leaseEndsAtMs = this.#leaseEnd();
    return { isExtended, leaseMs: LEASE_MS, drops };
  }

  watch(
    caller: Caller,
    listener: {
      readonly onDrop: (drop: NumberedDrop) => void;
      readonly onEnd: () => void;
    },
  ): () => void {
    const process = this.#require(caller);
    process.listeners.add(listener);
    return () => process.listeners.delete(listener);
  }

  /** Tells all processes to let go; resolves when each has signed that it did or has lost its lease. */
  publish(drop: Drop): {
    readonly revision: number;
    readonly settled: Promise<readonly SignedStatement[]>;
  } {
    this.#lapse();
    this.#revision += 1;
    const numbered: NumberedDrop = { revision: this.#revision, drop };
    this.#drops.push(numbered);
    if (this.#drops.length > DROPS_COUNT_MAX) this.#drops.shift();
    const settled = new Promise<readonly SignedStatement[]>((settle) => {
      this.#pending.set(numbered.revision, {
        drop,
        waiting: new Set(this.#processes.keys()),
        statements: [],
        isGrace: this.#graceLeftMs() > 0,
        settle,
      });
    });
    for (const process of this.#processes.values()) {
      process.unacknowledged.add(numbered.revision);
      for (const listener of process.listeners) listener.onDrop(numbered);
    }
    this.#settle(numbered.revision);
    this.#schedule();
    return { revision: numbered.revision, settled };
  }

  acknowledge(
    caller: Caller,
    done: { readonly revision: number; readonly statement: SignedStatement },
  ): void {
    const process = this.#require(caller);
    const body = verifyStatement(done.statement, [process.publicKey]);
    const drop = this.#drops.find(({ revision }) => revision === done.revision)?.drop;
    const isRight =
      body.kind === (drop?.kind === 'provider' ? 'provider-noted' : 'keys-dropped') &&
      body['process'] === process.processId &&
      body['generation'] === this.generation &&
      body['revision'] === done.revision;
    if (!isRight) refuse('the statement is about something else');
    process.unacknowledged.delete(done.revision);
    this.#leave(process.processId, done.revision, done.statement);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const process of this.#processes.values()) {
      for (const listener of process.listeners) listener.onEnd();
    }
    this.#processes.clear();
  }

  #leaseEnd(): number {
    return this.#options.clock.monotonicMs() + LEASE_MS + LEASE_MARGIN_MS;
  }

  /** How long leases of an earlier generation may still live. */
  #graceLeftMs(): number {
    if (this.generation === 1) return 0;
    const end = this.#startedAtMs + LEASE_MS + LEASE_MARGIN_MS;
    return Math.max(0, end - this.#options.clock.monotonicMs());
  }

  #lapse(): void {
    const now = this.#options.clock.monotonicMs();
    for (const process of this.#processes.values()) {
      if (process.leaseEndsAtMs <= now) this.#remove(process, 'ran-out');
    }
    if (this.#graceLeftMs() > 0) return;
    for (const [revision, pending] of this.#pending) {
      if (!pending.isGrace) continue;
      pending.isGrace = false;
      pending.statements.push(this.#stateLapse('earlier-generations', revision));
      this.#settle(revision);
    }
  }

  #remove(process: LeasedProcess, why: 'ran-out' | 'superseded'): void {
    // SECURITY: a superseded process still has its lease by its own clock: it is waited out.
    if (why === 'superseded') {
      for (const listener of process.listeners) listener.onEnd();
      return;
    }
    this.#processes.delete(process.processId);
    for (const listener of process.listeners) listener.onEnd();
    for (const [revision, pending] of this.#pending) {
      if (!pending.waiting.has(process.processId)) continue;
      this.#leave(process.processId, revision, this.#stateLapse(process.processId, revision));
    }
  }

  #stateLapse(process: string, revision: number): SignedStatement {
    return signStatement(this.#options.privateKey, {
      kind: 'lease-lapsed',
      at: toInstant(this.#options.clock.nowMs()),
      cell: this.#options.cellId,
      generation: this.generation,
      process,
      revision,
    });
  }

  #leave(processId: ProcessId, revision: number, statement: SignedStatement): void {
    const pending = this.#pending.get(revision);
    if (pending?.waiting.delete(processId) !== true) return;
    pending.statements.push(statement);
    this.#settle(revision);
  }

  #settle(revision: number): void {
    const pending = this.#pending.get(revision);
    if (pending === undefined || pending.waiting.size > 0 || pending.isGrace) return;
    this.#pending.delete(revision);
    pending.settle(pending.statements);
  }

  /** Wakes when the next lease that somebody waits for runs out. */
  #schedule(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    const now = this.#options.clock.monotonicMs();
    const ends = [...this.#processes.values()].map(({ leaseEndsAtMs }) => leaseEndsAtMs - now);
    const grace = this.#graceLeftMs();
    if (grace > 0) ends.push(grace);
    const nextMs = Math.max(1, Math.min(...ends, LEASE_MS));
    this.#timer = setTimeout(() => {
      this.#lapse();
      this.#schedule();
    }, nextMs);
  }
}

function refuse(problem: string): never {
  throw new KeysError('KEYS_SERVICE_REFUSED', problem);
}
