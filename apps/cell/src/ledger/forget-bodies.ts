// SPDX-License-Identifier: Apache-2.0
// Bodies past their term: body and salt go, the leaf stays, and the tree still verifies. What tells of writes is
// kept, because stored rows are held against it; so is what tells of keys, erasures and charters. What the index
// knew of a body goes with it.
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { EntryKind } from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { PoolClient } from 'pg';
import type { EntryWriter } from '../services.ts';
import { remarkPages } from './entry-index.ts';
import { FORGET_BATCH_COUNT_MAX, FORGET_INTERVAL_MS, INDEX_PAGE_WIDTH } from './limits.ts';

/** Kinds whose bodies have a term. */
export const FORGOTTEN_KINDS: readonly EntryKind[] = [
  'decision',
  'read',
  'seal',
  'open',
  'refusal',
  'misdirected',
  'late-release',
  'observation',
];

const MS_PER_DAY = 86_400_000;

/** The first id that an entry of this instant can have (UUIDv7 begins with it). */
function toFirstId(atMs: number): string {
  const hex = Math.max(0, Math.floor(atMs)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7000-8000-000000000000`;
}

/** Forgets a tenant's bodies from before an instant; gives how many. */
export async function forgetBodies(
  database: Database,
  options: { readonly tenantId: TenantId; readonly beforeMs: number },
): Promise<number> {
  const tenantId = parseTenantId(options.tenantId);
  const before = toFirstId(options.beforeMs);
  let total = 0;
  for (;;) {
    const count = await database.withTenant(tenantId, (tx) => forgetSome(tx, { tenantId, before }));
    total += count;
    if (count < FORGET_BATCH_COUNT_MAX) return total;
  }
}

/** One transaction: bodies and salts, and what the index knew of them. */
async function forgetSome(
  tx: PoolClient,
  { tenantId, before }: { readonly tenantId: TenantId; readonly before: string },
): Promise<number> {
  const { rows } = await tx.query<{ batch_id: string; batch_offset: number }>(
    `UPDATE ledger.entries SET salt = NULL, body = NULL
      WHERE tenant_id = $1 AND entry_id = ANY (ARRAY(
        SELECT entry_id FROM ledger.entries
         WHERE tenant_id = $1 AND entry_id < $2 AND kind = ANY ($3) AND body IS NOT NULL
         ORDER BY entry_id LIMIT $4))
      RETURNING batch_id, batch_offset`,
    [tenantId, before, FORGOTTEN_KINDS, FORGET_BATCH_COUNT_MAX],
  );
  if (rows.length === 0) return 0;
  const { rows: places } = await tx.query<{ batch_id: string; epoch: number; first: string }>(
    `SELECT batch_id, epoch, first_index AS first FROM ledger.batches
      WHERE batch_id = ANY ($1::bigint[])`,
    [[...new Set(rows.map(({ batch_id }) => batch_id))]],
  );
  const byBatch = new Map(places.map((place) => [place.batch_id, place]));
  const pages = new Map<number, Set<number>>();
  for (const { batch_id, batch_offset } of rows) {
    const place = byBatch.get(batch_id);
    if (place === undefined) continue;
    const own = pages.get(place.epoch) ?? new Set<number>();
    pages.set(
      place.epoch,
      own.add(Math.floor((Number(place.first) + batch_offset) / INDEX_PAGE_WIDTH)),
    );
  }
  for (const [epoch, own] of pages) await remarkPages(tx, { tenantId, epoch, pages: own });
  return rows.length;
}

/** Forgets, each hour, what is past its term; that it did is on record. */
export interface BodyForgetter {
  start(): void;
  stop(): Promise<void>;
  /** One pass over all tenants, now. */
  pass(): Promise<void>;
}

/** Makes the forgetter of a cell whose bodies have a term. */
export function createBodyForgetter(ports: {
  readonly database: Database;
  readonly entries: EntryWriter;
  readonly clock: { nowMs(): number };
  readonly log: Log;
  readonly listTenants: () => readonly TenantId[];
  /** Days that bodies are kept. */
  readonly keepDays: number;
}): BodyForgetter {
  const { database, entries, clock, log, listTenants, keepDays } = ports;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopping = false;
  const pass = async (): Promise<void> => {
    const beforeMs = clock.nowMs() - keepDays * MS_PER_DAY;
    for (const tenantId of listTenants()) {
      if (isStopping) return;
      const count = await forgetBodies(database, { tenantId, beforeMs });
      if (count === 0) continue;
      await entries.record(tenantId, {
        kind: 'observation',
        facts: { observed: 'bodies-forgotten', count, keepDays },
      });
    }
  };
  const tick = (): void => {
    running ??= pass()
      .catch((error: unknown) => log.warn('bodies could not be forgotten', { error }))
      .finally(() => {
        running = undefined;
      });
  };
  return {
    pass,
    start() {
      timer ??= setInterval(tick, FORGET_INTERVAL_MS).unref();
    },
    async stop() {
      isStopping = true;
      clearInterval(timer);
      await running;
    },
  };
}
