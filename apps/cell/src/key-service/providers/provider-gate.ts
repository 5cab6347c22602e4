// SPDX-License-Identifier: Apache-2.0
// What stands before each provider of customer keys: so many questions at once, callers before background
// work, and while the provider is away one probe at a time instead of everybody. When it comes back the
// number of questions grows from a few, so that ten thousand tenants do not fall on it together.
import { type Clock, isCoded, type Random } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';

/** Questions under way at once, when all is well. */
export const GATE_IN_FLIGHT_COUNT_MAX = 64;
/** …and directly after the provider came back. */
const IN_FLIGHT_COUNT_FIRST = 4;
/** Callers that wait for their turn; one more is refused at once. */
const WAITING_COUNT_MAX = 4_096;
const PROBE_AFTER_MS_MIN = 250;
const PROBE_AFTER_MS_MAX = 5_000;
/** One failure may be one connection's; two in a row are the provider's. */
const FAILURES_COUNT_AWAY = 2;

export interface GatePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Told when the provider goes away and when it is back. */
  readonly onMode: (isAway: boolean) => void;
}

interface Waiting {
  readonly start: () => void;
  readonly refuse: (error: KeysError) => void;
}

/** One provider's gate. */
export class ProviderGate {
  readonly #ports: GatePorts;
  readonly #callers: Waiting[] = [];
  readonly #background: Waiting[] = [];
  #inFlightCount = 0;
  #inFlightCountMax = GATE_IN_FLIGHT_COUNT_MAX;
  #successesCount = 0;
  #failuresCount = 0;
  #isAway = false;
  #isProbing = false;
  #probeAtMs = 0;
  #probeAfterMs = PROBE_AFTER_MS_MIN;

  constructor(ports: GatePorts) {
    this.#ports = ports;
  }

  get isAway(): boolean {
    return this.#isAway;
  }

  get inFlightCount(): number {
    return this.#inFlightCount;
  }

  /** Whether background work may ask now: always while the provider is there, else when a probe is due. */
  get isOpenForBackground(): boolean {
    if (!this.#isAway) return this.#background.length < WAITING_COUNT_MAX;
    return this.#isProbeDue();
  }

  #isProbeDue(): boolean {
    return !this.#isProbing && this.#ports.clock.monotonicMs() >= this.#probeAtMs;
  }

  /**
   * Asks the provider when it is this question's turn.
   *
   * @throws {KeysError} `KEYS_PROVIDER_UNAVAILABLE` at once while the provider is away, with
   *   `retryAfterMs`; and what `work` throws
   */
  async ask<T>(work: () => Promise<T>, options: { readonly isBackground: boolean }): Promise<T> {
    if (this.#isAway) {
      if (!this.#isProbeDue()) throw this.#away();
      this.#isProbing = true;
      this.#inFlightCount += 1;
      try {
        return await this.#run(work);
      } finally {
        this.#isProbing = false;
      }
    }
    // INVARIANT: a place is taken before anything is awaited, so that no two take the same one.
    if (this.#hasRoom(options.isBackground)) this.#inFlightCount += 1;
    else await this.#wait(options.isBackground);
    return this.#run(work);
  }

  /** Background work takes half of the places at most, so that a caller never waits behind all of it. */
  #hasRoom(isBackground: boolean): boolean {
    const max = isBackground ? Math.ceil(this.#inFlightCountMax / 2) : this.#inFlightCountMax;
    return this.#inFlightCount < max;
  }

  #wait(isBackground: boolean): Promise<void> {
    const queue = isBackground ? this.#background : this.#callers;
    if (queue.length >= WAITING_COUNT_MAX) {
      throw new KeysError('KEYS_PROVIDER_UNAVAILABLE', 'provider cannot be had: busy', {
        details: { reason: 'busy', retryAfterMs: 1000 },
      });
    }
    return new Promise((resolve, reject) => queue.push({ start: resolve, refuse: reject }));
  }

  /** The place is taken already; it is given on at the end. */
  async #run<T>(work: () => Promise<T>): Promise<T> {
    try {
      if (this.#isAway && !this.#isProbing) throw this.#away();
      const result = await work();
      this.#succeed();
      return result;
    } catch (error) {
      // What the provider refuses, it answered: it is there.
      if (!isCoded(error, 'KEYS_PROVIDER_UNAVAILABLE')) this.#succeed();
      else if (!isOwnRefusal(error)) this.#fail();
      throw error;
    } finally {
      this.#inFlightCount -= 1;
      this.#next();
    }
  }

  #next(): void {
    const start = (queue: Waiting[], isBackground: boolean): void => {
      while (queue.length > 0 && this.#hasRoom(isBackground)) {
        this.#inFlightCount += 1;
        queue.shift()?.start();
      }
    };
    start(this.#callers, false);
    if (this.#callers.length === 0) start(this.#background, true);
  }

  #succeed(): void {
    this.#failuresCount = 0;
    this.#probeAfterMs = PROBE_AFTER_MS_MIN;
    if (this.#isAway) {
      this.#isAway = false;
      this.#inFlightCountMax = IN_FLIGHT_COUNT_FIRST;
      this.#successesCount = 0;
      this.#ports.onMode(false);
      return;
    }
    this.#successesCount += 1;
    if (this.#successesCount < this.#inFlightCountMax) return;
    this.#successesCount = 0;
    this.#inFlightCountMax = Math.min(GATE_IN_FLIGHT_COUNT_MAX, this.#inFlightCountMax * 2);
  }

  #fail(): void {
    this.#failuresCount += 1;
    if (!this.#isAway && this.#failuresCount < FAILURES_COUNT_AWAY) return;
    const { clock, random } = this.#ports;
    const jitter = 0.75 + (random.bytes(1)[0] ?? 0) / 512;
    this.#probeAtMs = clock.monotonicMs() + this.#probeAfterMs * jitter;
    this.#probeAfterMs = Math.min(PROBE_AFTER_MS_MAX, this.#probeAfterMs * 2);
    if (this.#isAway) return;
    this.#isAway = true;
    for (const queue of [this.#callers, this.#background]) {
      for (const { refuse } of queue.splice(0)) refuse(this.#away());
    }
    this.#ports.onMode(true);
  }

  #away(): KeysError {
    const leftMs = Math.max(0, this.#probeAtMs - this.#ports.clock.monotonicMs());
    return new KeysError('KEYS_PROVIDER_UNAVAILABLE', 'provider of the customer key is away', {
      details: { reason: 'away', retryAfterMs: Math.ceil(leftMs) },
    });
  }
}

/** Made here: nobody was asked. */
function isOwnRefusal(error: { readonly details?: unknown }): boolean {
  const { details } = error;
  return (
    typeof details === 'object' &&
    details !== null &&
    'reason' in details &&
    details.reason === 'away'
  );
}
