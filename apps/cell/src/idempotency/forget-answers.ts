// SPDX-License-Identifier: Apache-2.0
// Stored answers are kept for a day, then forgotten: long enough for a client that comes back, short
// enough that the table does not grow with the cell's age.
import type { TenantId } from '@bailiwick/kernel';
import type { Log } from '@bailiwick/telemetry';
import type { IdempotencyStore } from './idempotency-store.ts';

export interface Forgetter {
  start(): void;
  stop(): void;
}

const KEEP_MS = 86_400_000;
const INTERVAL_MS = 600_000;

/** Forgets old answers of all tenants every ten minutes. */
export function createForgetter(ports: {
  readonly store: IdempotencyStore;
  readonly log: Log;
  readonly listTenants: () => readonly TenantId[];
}): Forgetter {
  const { store, log, listTenants } = ports;
  let timer: NodeJS.Timeout | undefined;
  const forget = async (): Promise<void> => {
    let count = 0;
    for (const tenantId of listTenants()) {
      count += await store.forget(tenantId, { olderThanMs: KEEP_MS });
    }
    if (count > 0) log.info('old answers forgotten', { count });
  };
  return {
    start() {
      timer ??= setInterval(() => {
        forget().catch((error: unknown) => log.warn('old answers not forgotten', { error }));
      }, INTERVAL_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
