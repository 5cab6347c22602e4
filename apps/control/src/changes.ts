// SPDX-License-Identifier: Apache-2.0
// Wakes pulls that wait. Changes made by this process wake at once; those of another control process are
// seen by a look at the revision while somebody waits.
import type { Database } from '@bailiwick/postgres';
import { PULLS_COUNT_MAX, REVISION_POLL_MS } from './limits.ts';
import type { Changes } from './services.ts';

/** The revision that is durable now. */
export async function readRevision(database: Database): Promise<string> {
  const { rows } = await database.pool.query<{ revision: string }>(
    'SELECT revision::text FROM control.revision',
  );
  return rows[0]?.revision ?? '0';
}

export function createChanges(database: Database): Changes & { close(): void } {
  const waiters = new Set<() => void>();
  let timer: NodeJS.Timeout | undefined;
  let lastRevision: string | undefined;
  let isLooking = false;
  let isClosed = false;
  const announce = (): void => {
    const all = [...waiters];
    waiters.clear();
    clearInterval(timer);
    timer = undefined;
    for (const wake of all) wake();
  };
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    try {
      const revision = await readRevision(database);
      if (lastRevision !== undefined && revision !== lastRevision) announce();
      lastRevision = revision;
    } catch {
      // The pull itself will meet the database's failure and say so.
      announce();
    } finally {
      isLooking = false;
    }
  };
  return {
    async mark(tx) {
      await tx.query('UPDATE control.revision SET revision = revision + 1');
    },
    announce,
    async wait(timeoutMs) {
      if (isClosed || timeoutMs <= 0 || waiters.size >= PULLS_COUNT_MAX) return;
      timer ??= setInterval(() => void look(), REVISION_POLL_MS);
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(end);
          waiters.delete(wake);
          resolve();
        };
        const end = setTimeout(wake, timeoutMs);
        waiters.add(wake);
      });
    },
    close() {
      isClosed = true;
      announce();
    },
  };
}
