// SPDX-License-Identifier: Apache-2.0
// A tenant's stored entries against the log: each body against its leaf, and each instant against the cosigned
// times around it. A cell whose clock or whose operator says another time than its witnesses is found out.
import type { LedgerCheckProblem } from '@bailiwick/contracts';
import { parseInstant } from '@bailiwick/kernel';
import { type CosignedTime, INSTANT_TOLERANCE_SECONDS, type LogStore } from '@bailiwick/ledger';
import type { PoolClient } from 'pg';
import { createLeafCheck, streamPlaced } from './entry-store.ts';

/** Bounds of an entry's instant in seconds, by its position; positions are asked for in ascending order. */
export function createInstantCheck(
  times: readonly CosignedTime[],
): (entry: { readonly index: number; readonly at: string }) => boolean {
  const sorted = [...times].sort((a, b) => a.size - b.size);
  // The earliest time at which a log of this size or a larger one was seen.
  const seenBy: number[] = [];
  for (const [back, { atSeconds }] of sorted.toReversed().entries()) {
    seenBy[sorted.length - 1 - back] = Math.min(
      atSeconds,
      seenBy[sorted.length - back] ?? Infinity,
    );
  }
  let passed = 0;
  let notBefore = -Infinity;
  return ({ index, at }) => {
    for (let time = sorted[passed]; time !== undefined && time.size <= index; ) {
      notBefore = Math.max(notBefore, time.atSeconds);
      passed += 1;
      time = sorted[passed];
    }
    const atSeconds = parseInstant(at) / 1000;
    const notAfter = seenBy[passed] ?? Infinity;
    return (
      atSeconds >= notBefore - INSTANT_TOLERANCE_SECONDS &&
      atSeconds <= notAfter + INSTANT_TOLERANCE_SECONDS
    );
  };
}

/** What is wrong with the tenant's entries, in the order of the log. */
export async function* checkEntries(
  tx: PoolClient,
  ledger: { readonly epoch: number; readonly store: LogStore },
  times: readonly CosignedTime[],
): AsyncGenerator<LedgerCheckProblem> {
  const isAsCommitted = createLeafCheck(ledger);
  const isPlausible = createInstantCheck(times);
  for await (const row of streamPlaced(tx, ledger.epoch)) {
    const entry = row.entry_id;
    if (!(await isAsCommitted(row))) yield { problem: 'entry-changed', entry };
    else if (!isPlausible({ index: Number(row.index), at: readAt(row.body) })) {
      yield { problem: 'instant-implausible', entry };
    }
  }
}

/** The instant of a body that is what its leaf commits to. */
function readAt(body: string): string {
  const { at } = JSON.parse(body) as { readonly at: string };
  return at;
}
