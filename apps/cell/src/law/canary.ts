// SPDX-License-Identifier: Apache-2.0
// A candidate beside the law: for a share of decisions both charters decide, the stricter answer holds, and
// what differed is counted. It can only take away, so it needs nobody's approval; and it stops by itself
// where a limit is passed, whether or not the control plane can be told.
import { randomBytes } from 'node:crypto';
import {
  addObligations,
  type CompiledCharter,
  type ContractTerms,
  isAtLeast,
} from '@bailiwick/charter';
import {
  type BundleCandidate,
  type CanaryFigures,
  DIFFERENCE_KINDS_COUNT_MAX,
  type DifferenceKind,
  findPassedLimit,
  type RolloutStop,
} from '@bailiwick/contracts';
import type { Clock, Decision, Flow, TenantId } from '@bailiwick/kernel';
import { createEngine, type Engine } from '@bailiwick/policy';

/** A candidate that decides as well. */
export interface Canary {
  readonly serial: number;
  /** Gives the answer that holds: `own`, or the candidate's where it was asked and is stricter. */
  judge(tenantId: TenantId, flow: Flow, own: Decision): Decision;
  /** The candidate for a tenant. @throws {CharterError} where the tenant's terms do not fit it */
  engineFor(tenantId: TenantId): Engine;
  readonly tally: CanaryTally;
}

const SHARE_WHOLE = 10_000;
const MICROS_PER_MS = 1_000;

/** What one process has counted for one candidate; it outlives bundles that bring the candidate again. */
export class CanaryTally {
  readonly candidate: BundleCandidate;
  #decided = 0;
  #stricter = 0;
  #looser = 0;
  #errors = 0;
  #latencyMicros = 0;
  #latencyMicrosMax = 0;
  readonly #kinds = new Map<string, { kind: Omit<DifferenceKind, 'count'>; count: number }>();
  stoppedBy: RolloutStop | undefined;
  /** Grows with everything counted. */
  revision = 0;

  constructor(candidate: BundleCandidate) {
    this.candidate = candidate;
  }

  decided(latencyMs: number): void {
    const micros = Math.max(0, Math.round(latencyMs * MICROS_PER_MS));
    this.#decided += 1;
    this.#latencyMicros += micros;
    if (micros > this.#latencyMicrosMax) this.#latencyMicrosMax = micros;
    this.#judge();
  }

  failed(): void {
    this.#errors += 1;
    this.#judge();
  }

  differed(change: DifferenceKind['change'], flow: Flow, own: Decision, other: Decision): void {
    if (change === 'stricter') this.#stricter += 1;
    else this.#looser += 1;
    const kind = {
      change,
      action: flow.action,
      class: flow.data.class,
      before: own.rules.slice(0, 32),
      after: other.rules.slice(0, 32),
    };
    const key = JSON.stringify(kind);
    const known = this.#kinds.get(key);
    if (known !== undefined) known.count += 1;
    else if (this.#kinds.size < DIFFERENCE_KINDS_COUNT_MAX)
      this.#kinds.set(key, { kind, count: 1 });
  }

  figures(): CanaryFigures {
    return {
      decided: this.#decided,
      stricter: this.#stricter,
      looser: this.#looser,
      errors: this.#errors,
      latencyMicros: this.#latencyMicros,
      latencyMicrosMax: this.#latencyMicrosMax,
      kinds: [...this.#kinds.values()].map(({ kind, count }) => ({ ...kind, count })),
    };
  }

  #judge(): void {
    this.revision += 1;
    this.stoppedBy ??= findPassedLimit(
      {
        decided: this.#decided,
        stricter: this.#stricter,
        looser: this.#looser,
        errors: this.#errors,
        latencyMicros: this.#latencyMicros,
      },
      this.candidate.limits,
    );
  }
}

export interface CanaryParts {
  readonly clock: Clock;
  readonly candidate: BundleCandidate;
  readonly charter: CompiledCharter;
  readonly terms: ReadonlyMap<TenantId, ContractTerms>;
  /** What was counted under bundles before this one. */
  readonly tally?: CanaryTally;
}

/** Puts a candidate beside the law. */
export function createCanary(parts: CanaryParts): Canary {
  return new SampledCanary(parts);
}

class SampledCanary implements Canary {
  readonly serial: number;
  readonly tally: CanaryTally;
  readonly #parts: CanaryParts;
  readonly #engines = new Map<TenantId, Engine>();
  readonly #joined = new WeakMap<Decision, WeakMap<Decision, Decision>>();
  /** State of the sampling; which decisions fall into the share is nobody's to choose. */
  #state = randomBytes(4).readUInt32LE() | 1;

  constructor(parts: CanaryParts) {
    this.#parts = parts;
    this.serial = parts.candidate.serial;
    const isSame =
      parts.tally?.candidate.serial === parts.candidate.serial &&
      parts.tally.candidate.textHash === parts.candidate.textHash;
    this.tally =
      isSame && parts.tally !== undefined ? parts.tally : new CanaryTally(parts.candidate);
  }

  engineFor(tenantId: TenantId): Engine {
    const found = this.#engines.get(tenantId);
    if (found !== undefined) return found;
    const { charter, terms } = this.#parts;
    const own = terms.get(tenantId);
    const engine = createEngine(charter, {
      serial: this.serial,
      ...(own === undefined ? {} : { terms: own }),
    });
    this.#engines.set(tenantId, engine);
    return engine;
  }

  judge(tenantId: TenantId, flow: Flow, own: Decision): Decision {
    if (this.tally.stoppedBy !== undefined || !this.#isChosen()) return own;
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    let other: Decision;
    try {
      other = this.engineFor(tenantId).decide(flow);
    } catch {
      // What is law has answered; a candidate that cannot answer is counted and never becomes law.
      this.tally.failed();
      return own;
    }
    const answer = this.#compare(flow, own, other);
    this.tally.decided(clock.monotonicMs() - startedMs);
    return answer;
  }

  /** Marsaglia's xorshift: enough to be even, and cheaper than the decision. */
  #isChosen(): boolean {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state;
    return (state >>> 0) % SHARE_WHOLE < this.#parts.candidate.shareBasisPoints;
  }

  #compare(flow: Flow, own: Decision, other: Decision): Decision {
    if (own.outcome === 'deny') {
      if (other.outcome === 'allow') this.tally.differed('looser', flow, own, other);
      return this.#join(own, other);
    }
    if (other.outcome === 'deny') {
      this.tally.differed('stricter', flow, own, other);
      return this.#join(other, own);
    }
    if (!isAtLeast(own.obligations, other.obligations)) {
      this.tally.differed('stricter', flow, own, other);
    } else if (!isAtLeast(other.obligations, own.obligations)) {
      this.tally.differed('looser', flow, own, other);
    }
    return this.#join(own, other);
  }

  /** What holds, with a word about the other; the same two give the same object. */
  #join(held: Decision, other: Decision): Decision {
    const byOther = this.#joined.get(held) ?? new WeakMap<Decision, Decision>();
    this.#joined.set(held, byOther);
    const known = byOther.get(other);
    if (known !== undefined) return known;
    const isAllowed = held.outcome === 'allow';
    const joined: Decision = Object.freeze({
      ...held,
      obligations: isAllowed
        ? addObligations([...held.obligations, ...other.obligations])
        : held.obligations,
      also: Object.freeze({ ...other.charter, outcome: other.outcome }),
    });
    byOther.set(other, joined);
    return joined;
  }
}
