// SPDX-License-Identifier: Apache-2.0
// Many replicas of a cell ask the same thing at the same time: one look at the database answers them
// all, and none is needed while the revision stands still.
import { readRevision } from '../changes.ts';
import type { ControlServices } from '../services.ts';

/** Gives what belongs to the durable revision; computes it once for each. */
export interface SignedCache<Value> {
  get(key: string, compute: () => Promise<Value>): Promise<Value>;
}

export function createSignedCache<Value>(services: ControlServices): SignedCache<Value> {
  const known = new Map<string, { readonly revision: string; readonly value: Value }>();
  const inFlight = new Map<string, Promise<Value>>();
  const refresh = async (key: string, compute: () => Promise<Value>): Promise<Value> => {
    // Read before the content: what changes in between belongs to a later revision and is computed anew.
    const revision = await readRevision(services.database);
    const found = known.get(key);
    if (found?.revision === revision) return found.value;
    const value = await compute();
    known.set(key, { revision, value });
    return value;
  };
  return {
    get(key, compute) {
      const running = inFlight.get(key);
      if (running !== undefined) return running;
      const started = refresh(key, compute).finally(() => inFlight.delete(key));
      inFlight.set(key, started);
      return started;
    },
  };
}
