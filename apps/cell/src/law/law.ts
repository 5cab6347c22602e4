// SPDX-License-Identifier: Apache-2.0
// The law that this cell holds to. It takes bundles, keeps the last good one, knows whether it is fresh,
// and tells those who follow it. The control plane may be away: what is in force stays in force, only
// borders close (invariant 11).
import { FRESHNESS_PAYLOAD_TYPE, parseFreshnessStatement } from '@bailiwick/contracts';
import type { Clock } from '@bailiwick/kernel';
import { parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { CellError } from '../errors.ts';
import type { Law } from '../services.ts';
import {
  type BundleChange,
  type BundleTrust,
  checkChange,
  type OpenedBundle,
  openBundle,
} from './bundle-check.ts';
import {
  DEPARTED_COUNT_MAX,
  type Departed,
  NOBODY_DEPARTED,
  rememberDeparted,
} from './departed.ts';
import { type BundleInForce, createLawInForce } from './law-in-force.ts';
import type { LawStore } from './law-store.ts';

/** Told, before a bundle takes effect, what it changes; what it throws keeps the bundle out. */
export type BundleListener = (law: BundleInForce, change: BundleChange) => Promise<void>;

export interface CellLaw extends Law {
  current(): BundleInForce;
  find(): BundleInForce | undefined;
  /** Serial of the bundle in force; 0 before the first. */
  serial(): number;
  /** Takes a newer bundle into force. @throws {CellError} `LAW_BUNDLE_REFUSED` */
  take(envelope: unknown): Promise<void>;
  /** Takes a freshness statement that answers a question asked at `askedAtMs` (monotonic). */
  refresh(
    envelope: unknown,
    question: { readonly nonce: string; readonly askedAtMs: number },
  ): void;
  /** Brings the last good bundle back from the store; nothing is fresh afterwards. */
  restore(): Promise<boolean>;
  onBundle(listener: BundleListener): void;
}

export interface LawPorts {
  readonly clock: Clock;
  readonly store: LawStore;
}

/** Makes the law of a cell; it has no charter until `restore` or `take`. */
export function createLaw(ports: LawPorts, trust: BundleTrust): CellLaw {
  return new FollowedLaw(ports, trust);
}

class FollowedLaw implements CellLaw {
  readonly #ports: LawPorts;
  readonly #pinned: BundleTrust;
  readonly #listeners: BundleListener[] = [];
  #opened: OpenedBundle | undefined;
  #inForce: BundleInForce | undefined;
  #departed: Departed = NOBODY_DEPARTED;
  #freshUntilMs = Number.NEGATIVE_INFINITY;

  constructor(ports: LawPorts, pinned: BundleTrust) {
    this.#ports = ports;
    this.#pinned = pinned;
  }

  current(): BundleInForce {
    if (this.#inForce !== undefined) return this.#inForce;
    throw new CellError('LAW_CHARTER_ABSENT', 'no bundle has come to this cell yet');
  }

  find(): BundleInForce | undefined {
    return this.#inForce;
  }

  serial(): number {
    return this.#inForce?.bundle.serial ?? 0;
  }

  isFresh(): boolean {
    return this.#ports.clock.monotonicMs() < this.#freshUntilMs;
  }

  onBundle(listener: BundleListener): void {
    this.#listeners.push(listener);
  }

  async restore(): Promise<boolean> {
    const stored = await this.#ports.store.read();
    if (stored === undefined) return false;
    const trust = this.#trustOf(stored.bundleKeys);
    const opened = openBundle(stored.envelope, trust);
    this.#opened = opened;
    this.#departed = stored.departed ?? NOBODY_DEPARTED;
    this.#inForce = createLawInForce(opened, this.#ports);
    return true;
  }

  async take(envelope: unknown): Promise<void> {
    const trust = this.#trust();
    const opened = openBundle(envelope, trust);
    const change = checkChange(this.#opened, opened, trust, this.#departed);
    const departed = rememberDeparted(this.#opened?.bundle, opened.bundle, this.#departed);
    if (departed.tenants.length > DEPARTED_COUNT_MAX) {
      throw new CellError('LAW_BUNDLE_REFUSED', 'too many tenants have left', {
        details: { reason: 'departed' },
      });
    }
    const inForce = createLawInForce(opened, {
      ...this.#ports,
      ...(this.#inForce === undefined ? {} : { before: this.#inForce }),
    });
    // Who follows does its work first (keys of new tenants, the entry): a law in force is one on record.
    for (const listener of this.#listeners) await listener(inForce, change);
    const { bundleKeys } = opened.bundle.trust;
    await this.#ports.store.write({ envelope, bundleKeys, departed });
    this.#departed = departed;
    this.#opened = opened;
    this.#inForce = inForce;
    // What was fresh was the law before this one.
    this.#freshUntilMs = Number.NEGATIVE_INFINITY;
  }

  refresh(
    envelope: unknown,
    { nonce, askedAtMs }: { readonly nonce: string; readonly askedAtMs: number },
  ): void {
    const { bundle, charter } = this.current();
    const { payload } = verifyDsse(envelope, {
      payloadType: FRESHNESS_PAYLOAD_TYPE,
      keys: this.#trust().bundleKeys,
    });
    const statement = parseFreshnessStatement(payload);
    // SECURITY: cell, nonce and serial: neither an older statement nor another cell's can be replayed.
    const isMeant =
      statement.cell === this.#pinned.cellId &&
      statement.nonce === nonce &&
      statement.serial === bundle.serial;
    if (!isMeant) {
      throw new CellError('LAW_BUNDLE_REFUSED', 'the freshness statement is about something else', {
        details: { reason: 'freshness' },
      });
    }
    const validForMs = Math.min(
      statement.validForMs,
      bundle.charter.freshForMs,
      charter.freshForMs,
    );
    this.#freshUntilMs = Math.max(this.#freshUntilMs, askedAtMs + validForMs);
  }

  #trust(): BundleTrust {
    return this.#trustOf(this.#inForce?.bundle.trust.bundleKeys);
  }

  /** Keys of an accepted bundle replace the configured ones: they were approved. */
  #trustOf(bundleKeys: readonly string[] | undefined): BundleTrust {
    if (bundleKeys === undefined) return this.#pinned;
    return { ...this.#pinned, bundleKeys: bundleKeys.map(parsePinnedKey) };
  }
}
