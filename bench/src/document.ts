// SPDX-License-Identifier: Apache-2.0
// What a benchmark prints, and how it is measured: ours and the baseline in turn, back to back, several
// rounds, medians. These machines are noisy; the ratio of two neighbours is what can be trusted.
import { availableParallelism } from 'node:os';

export interface BenchResult {
  /** Such as `ledger.append`. */
  readonly id: string;
  /** One sentence: what was done, with which durability, and how it was warmed up. */
  readonly what: string;
  /** Such as `op/s`, `ms`. */
  readonly unit: string;
  readonly value: number;
  readonly p50?: number;
  readonly p99?: number;
  readonly baseline: { readonly name: string; readonly value: number };
  /** Ours over baseline. */
  readonly ratio: number;
}

export interface BenchDocument {
  readonly suite: string;
  readonly node: string;
  readonly cpus: number;
  readonly results: readonly BenchResult[];
}

/** One measured run: the rate in units a second. */
export type Measured = () => number | Promise<number>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : ((sorted[middle - 1] ?? Number.NaN) + high) / 2;
}

/** The value below which `share` (0 to 1) of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/**
 * Runs ours and the baseline in turn for `rounds` (after one unrecorded round of each) and gives the
 * medians. `ratio` is the median of the rounds' own ratios, so that a slow second hurts both sides.
 */
export async function measureRounds(options: {
  readonly ours: Measured;
  readonly baseline: Measured;
  readonly rounds?: number;
}): Promise<{ readonly value: number; readonly baseline: number; readonly ratio: number }> {
  const { ours, baseline, rounds = 5 } = options;
  await ours();
  await baseline();
  const pairs: (readonly [ours: number, baseline: number])[] = [];
  for (let round = 0; round < rounds; round += 1) pairs.push([await ours(), await baseline()]);
  return {
    value: median(pairs.map(([value]) => value)),
    baseline: median(pairs.map(([, value]) => value)),
    ratio: median(pairs.map(([a, b]) => a / b)),
  };
}

/** Calls `work` in growing batches for about `ms` and gives calls a second. `work(n)` does n units. */
export function measureRate(work: (count: number) => void, ms = 400): number {
  let count = 1;
  for (;;) {
    const started = performance.now();
    work(count);
    const elapsedMs = performance.now() - started;
    if (elapsedMs >= ms) return (count / elapsedMs) * 1000;
    count = elapsedMs < 1 ? count * 10 : Math.ceil(((count * ms) / elapsedMs) * 1.1);
  }
}

export function toBenchDocument(suite: string, results: readonly BenchResult[]): BenchDocument {
  return { suite, node: process.versions.node, cpus: availableParallelism(), results };
}
