// SPDX-License-Identifier: Apache-2.0
// Follows the control plane: asks for what is newer, takes it, notes freshness. Long polls are short
// enough that their statement is still worth something. Trouble is waited out; the cell goes on serving.
import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { parseBundleAnswer } from '@bailiwick/contracts';
import { type CellId, type Clock, isCoded } from '@bailiwick/kernel';
import type { Log, Meter } from '@bailiwick/telemetry';
import type { PeerClient } from '../control/peer-client.ts';
import type { CellLaw } from './law.ts';

export interface PullerPorts {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly law: CellLaw;
  readonly control: PeerClient;
  readonly log: Log;
  readonly meter: Meter;
}

export interface BundlePuller {
  start(): void;
  stop(): Promise<void>;
  /** One question and what follows from its answer; for the start and for tests. */
  pull(options: { readonly waitMs: number }): Promise<void>;
}

/** What we would wait for news; the control plane answers earlier where freshness asks for it. */
const WAIT_MS = 10_000;
const ANSWER_MS_MAX = 5_000;
const BACKOFF_MS_MAX = 2_000;

/** Makes the puller; nothing runs before `start`. */
export function createBundlePuller(
  ports: PullerPorts,
  { pollMs }: { readonly pollMs: number },
): BundlePuller {
  return new Puller(ports, pollMs);
}

class Puller implements BundlePuller {
  readonly #ports: PullerPorts;
  readonly #pollMs: number;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #failureCount = 0;

  constructor(ports: PullerPorts, pollMs: number) {
    this.#ports = ports;
    this.#pollMs = pollMs;
    const fresh = ports.meter.createObservableGauge('bailiwick.law.fresh');
    fresh.addCallback((result) => result.observe(ports.law.isFresh() ? 1 : 0));
    const serial = ports.meter.createObservableGauge('bailiwick.law.serial');
    serial.addCallback((result) => result.observe(ports.law.serial()));
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.pull({ waitMs: WAIT_MS });
        this.#failureCount = 0;
      } catch (error) {
        if (signal.aborted) return;
        this.#tell(error);
      }
      const restMs = Math.min(this.#pollMs * 2 ** Math.min(this.#failureCount, 6), BACKOFF_MS_MAX);
      await pause(restMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** The first failure of a row is worth a line; the rest only counts. */
  #tell(error: unknown): void {
    this.#failureCount += 1;
    const isRefused = isCoded(error, 'LAW_BUNDLE_REFUSED');
    if (this.#failureCount > 1 && !isRefused) return;
    const reason = isRefused ? error.details['reason'] : undefined;
    this.#ports.log.warn('bundle could not be taken', {
      error,
      ...(typeof reason === 'string' ? { kind: reason } : {}),
    });
  }

  async pull({ waitMs }: { readonly waitMs: number }): Promise<void> {
    const { cellId, clock, law, control } = this.#ports;
    const nonce = randomBytes(24).toString('base64url');
    // INVARIANT 11: what the statement is worth counts from before the question went out.
    const askedAtMs = clock.monotonicMs();
    const { status, body } = await control.call({
      method: 'GET',
      path: `/v1/cells/${cellId}/bundle?after=${law.serial()}&nonce=${nonce}&waitMs=${waitMs}`,
      timeoutMs: waitMs + ANSWER_MS_MAX,
      signal: this.#stop.signal,
    });
    if (status !== 200) return;
    const answer = parseBundleAnswer(body);
    if (answer.bundle !== undefined) {
      await law.take(answer.bundle);
      this.#ports.log.info('bundle taken', { serial: law.serial() });
    }
    if (law.find() !== undefined) law.refresh(answer.freshness, { nonce, askedAtMs });
  }
}
