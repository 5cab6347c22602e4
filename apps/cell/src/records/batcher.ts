// SPDX-License-Identifier: Apache-2.0
// Group commit: while one batch of a tenant is under way, others gather; the next leaves when it returns.
// No timer: alone, an operation goes at once; under load, batches grow by themselves.

import { CellError } from '../errors.ts';
import { QUEUE_COUNT_MAX } from './limits.ts';

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

export interface Batcher<Item, Result> {
  /** @throws {CellError} `CELL_OVERLOADED` */
  submit(lane: string, item: Item): Promise<Result>;
}

export interface BatcherOptions<Item, Result> {
  readonly batchCountMax: number;
  /** Batches of one lane that may be under way together. */
  readonly concurrency?: number;
  /** Gives one result per item, in order; an `Error` as result fails that item alone. */
  readonly run: (lane: string, items: readonly Item[]) => Promise<readonly (Result | Error)[]>;
  /** True when two items must not share a batch. */
  readonly keyOf?: (item: Item) => string;
}

interface Lane<Item, Result> {
  readonly queue: Waiting<Item, Result>[];
  running: number;
  /** A turn is booked in which the queue will be looked at. */
  isWaking: boolean;
}

/** Makes a batcher with one lane per tenant. */
export function createBatcher<Item, Result>(
  options: BatcherOptions<Item, Result>,
): Batcher<Item, Result> {
  const { batchCountMax, concurrency = 1, run, keyOf } = options;
  const lanes = new Map<string, Lane<Item, Result>>();

  const take = (queue: Waiting<Item, Result>[]): Waiting<Item, Result>[] => {
    if (!keyOf) return queue.splice(0, batchCountMax);
    const seen = new Set<string>();
    const batch: Waiting<Item, Result>[] = [];
    const left: Waiting<Item, Result>[] = [];
    for (const waiting of queue) {
      const key = keyOf(waiting.item);
      if (batch.length < batchCountMax && !seen.has(key)) {
        seen.add(key);
        batch.push(waiting);
      } else {
        left.push(waiting);
      }
    }
    queue.splice(0, queue.length, ...left);
    return batch;
  };

  const attempt = async (name: string, batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    let results: readonly (Result | Error)[];
    try {
      results = await run(
        name,
        batch.map(({ item }) => item),
      );
    } catch (error) {
      const [first] = batch;
      if (batch.length === 1) first?.reject(error);
      // A bad item must not sink its batch: each is tried again by itself.
      else for (const waiting of batch) await attempt(name, [waiting]);
      return;
    }
    for (const [index, { resolve, reject }] of batch.entries()) {
      const result = results[index];
      if (result === undefined) reject(new Error('assertion failed: one result per item'));
      else if (result instanceof Error) reject(result);
      else resolve(result);
    }
  };

  const drive = (name: string, lane: Lane<Item, Result>): void => {
    while (lane.running < concurrency && lane.queue.length > 0) {
      lane.running += 1;
      void attempt(name, take(lane.queue)).finally(() => {
        lane.running -= 1;
        if (lane.queue.length > 0) drive(name, lane);
        else if (lane.running === 0 && !lane.isWaking) lanes.delete(name);
      });
    }
  };

  return {
    submit(name, item) {
      let lane = lanes.get(name);
      if (!lane) {
        lane = { queue: [], running: 0, isWaking: false };
        lanes.set(name, lane);
      }
      if (lane.queue.length >= QUEUE_COUNT_MAX) {
        return Promise.reject(new CellError('CELL_OVERLOADED', 'too many operations are waiting'));
      }
      const owner = lane;
      return new Promise<Result>((resolve, reject) => {
        owner.queue.push({ item, resolve, reject });
        // What arrives in the same turn of the event loop goes together.
        if (owner.running >= concurrency || owner.isWaking) return;
        owner.isWaking = true;
        setImmediate(() => {
          owner.isWaking = false;
          drive(name, owner);
        });
      });
    },
  };
}
