// SPDX-License-Identifier: Apache-2.0
// The lease as every thread of the process sees it, in shared memory: when it ends by three clocks, and
// for each tenant whether its keys may be used. Reading it is synchronous, so a use can be checked
// directly before it happens (invariant 8).
import { uptime } from 'node:os';
import { KeysError } from '@bailiwick/keys';

/** Tenants that one process serves. */
export const SLOTS_COUNT_MAX = 65_536;
/** Boot-time elapsed is looked at when this much running time has passed since the last look… */
const BOOT_CHECK_INTERVAL_MS = 20;
/** …and at once when the wall clock has moved on by this much more than the monotonic one. */
const DRIFT_MS_MAX = 5;
/** `/proc/uptime` has a resolution of 10 ms. */
const BOOT_RESOLUTION_MS = 10;

/** What a slot says of a tenant's keys. */
export const SLOT_CLOSED = 0;
export const SLOT_ENABLED = 1;
export const SLOT_DISABLED = 2;
export type SlotState = typeof SLOT_CLOSED | typeof SLOT_ENABLED | typeof SLOT_DISABLED;

/** The clocks that a lease is measured by; all in milliseconds. */
export interface LeaseClocks {
  /** CLOCK_MONOTONIC: does not run while the machine sleeps. */
  monotonicMs(): number;
  /** CLOCK_BOOTTIME: runs while the machine sleeps. */
  bootMs(): number;
  /** Can be stepped by anybody; a jump can only shorten a lease. */
  wallMs(): number;
}

/** The machine's clocks. */
export const MACHINE_CLOCKS: LeaseClocks = {
  monotonicMs: () => Number(process.hrtime.bigint()) / 1e6,
  bootMs: () => uptime() * 1000,
  wallMs: () => Date.now(),
};

/** An instant on all three clocks. */
export interface LeaseInstant {
  readonly monotonicMs: number;
  readonly bootMs: number;
  readonly wallMs: number;
}

export function readInstant(clocks: LeaseClocks): LeaseInstant {
  return {
    monotonicMs: clocks.monotonicMs(),
    bootMs: clocks.bootMs(),
    wallMs: clocks.wallMs(),
  };
}

const MONOTONIC = 0;
const BOOT = 1;
const WALL = 2;
const ENDS_SIZE_BYTES = 3 * 8;
/** Counts extensions; waited on. */
const EXTENSIONS = 0;
const FIRST_SLOT = 1;

/** Microseconds as whole numbers: 64 bits are written and read whole. */
const toShared = (ms: number): bigint => BigInt(Math.floor(ms * 1000));
const fromShared = (value: bigint): number => Number(value) / 1000;

/** Memory for a lease; shared between the thread that renews and those that use keys. */
export function createLeaseMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(ENDS_SIZE_BYTES + 4 * (FIRST_SLOT + SLOTS_COUNT_MAX));
}

/** Reads and writes a lease. */
export class LeaseView {
  readonly #ends: BigInt64Array;
  readonly #words: Int32Array;
  readonly #clocks: LeaseClocks;
  #checked: LeaseInstant = { monotonicMs: -Infinity, bootMs: 0, wallMs: 0 };

  constructor(memory: SharedArrayBuffer, clocks: LeaseClocks = MACHINE_CLOCKS) {
    this.#ends = new BigInt64Array(memory, 0, 3);
    this.#words = new Int32Array(memory, ENDS_SIZE_BYTES);
    this.#clocks = clocks;
  }

  /** True while the lease lasts by each clock: the largest elapsed time counts. */
  isLive(): boolean {
    const monotonicMs = this.#clocks.monotonicMs();
    if (monotonicMs >= this.#endOf(MONOTONIC)) return false;
    const wallMs = this.#clocks.wallMs();
    if (wallMs >= this.#endOf(WALL)) return false;
    const ranMs = monotonicMs - this.#checked.monotonicMs;
    const driftMs = wallMs - this.#checked.wallMs - ranMs;
    if (ranMs < BOOT_CHECK_INTERVAL_MS && driftMs < DRIFT_MS_MAX) return true;
    const bootMs = this.#clocks.bootMs();
    if (bootMs + BOOT_RESOLUTION_MS >= this.#endOf(BOOT)) return false;
    this.#checked = { monotonicMs, bootMs, wallMs };
    return true;
  }

  #endOf(index: number): number {
    return fromShared(Atomics.load(this.#ends, index));
  }

  /** @throws {KeysError} `KEYS_LEASE_EXPIRED` */
  assertLive(): void {
    if (!this.isLive()) throw leaseExpired();
  }

  slot(index: number): SlotState {
    const state = Atomics.load(this.#words, FIRST_SLOT + index);
    return state === SLOT_ENABLED || state === SLOT_DISABLED ? state : SLOT_CLOSED;
  }

  /** Waits until the lease is live. @throws {KeysError} `KEYS_LEASE_EXPIRED` after `timeoutMs` */
  async awaitLive(timeoutMs: number): Promise<void> {
    const endMs = this.#clocks.monotonicMs() + timeoutMs;
    for (;;) {
      const extensions = Atomics.load(this.#words, EXTENSIONS);
      if (this.isLive()) return;
      const leftMs = endMs - this.#clocks.monotonicMs();
      if (leftMs <= 0) throw leaseExpired();
      const waiting = Atomics.waitAsync(this.#words, EXTENSIONS, extensions, leftMs);
      await waiting.value;
    }
  }

  // From here on: the renewing thread only.

  /** Sets the lease's end, counted from before the renewal was sent. */
  extend(from: LeaseInstant, leaseMs: number): void {
    Atomics.store(this.#ends, WALL, toShared(from.wallMs + leaseMs));
    Atomics.store(this.#ends, BOOT, toShared(from.bootMs + leaseMs));
    Atomics.store(this.#ends, MONOTONIC, toShared(from.monotonicMs + leaseMs));
    Atomics.add(this.#words, EXTENSIONS, 1);
    Atomics.notify(this.#words, EXTENSIONS);
  }

  setSlot(index: number, state: SlotState): void {
    Atomics.store(this.#words, FIRST_SLOT + index, state);
  }

  /** Ends the lease and closes every slot: nothing may be used until it is opened anew. */
  reset(): void {
    for (let index = 0; index < 3; index += 1) Atomics.store(this.#ends, index, 0n);
    for (let index = 0; index < SLOTS_COUNT_MAX; index += 1) {
      if (this.slot(index) !== SLOT_CLOSED) this.setSlot(index, SLOT_CLOSED);
    }
  }
}

export function leaseExpired(): KeysError {
  return new KeysError('KEYS_LEASE_EXPIRED', 'the lease on the keys has run out');
}
