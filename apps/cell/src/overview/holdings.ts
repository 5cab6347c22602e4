// SPDX-License-Identifier: Apache-2.0
// How much of what lies here. Counting reads every record's row head of the tenant, so it is done behind the
// answers: one count at a time per tenant, kept for a few seconds; whoever asks meanwhile gets the last one
// with its time. Nothing is added to the way of a write for it.
import type { HoldingCollection, HoldingFieldSet, HoldingsAnswer } from '@bailiwick/contracts';
import { type TenantId, toInstant } from '@bailiwick/kernel';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import type { CellServices } from '../services.ts';

/** How old a count may be before a new one is begun. */
const COUNTED_FOR_MS = 10_000;
const TENANTS_COUNT_MAX = 1_000;
/** A count may read for so long; it holds one connection and nobody waits for it but the first asker. */
const COUNT_TIMEOUT_MS = 120_000;

export interface Holdings {
  get(tenantId: TenantId): Promise<HoldingsAnswer>;
}

interface Kept {
  answer: HoldingsAnswer | undefined;
  countedAtMs: number;
  counting: Promise<HoldingsAnswer> | undefined;
}

interface CountRow {
  readonly collection_id: string;
  readonly origin: string | null;
  readonly is_total: boolean;
  readonly records: string;
  readonly subjects: string;
  readonly plain_size: string;
  readonly sealed_sizes: readonly string[] | null;
}

/** Makes the counter of one cell. */
export function createHoldings(services: CellServices): Holdings {
  const kept = new Map<TenantId, Kept>();
  const begin = (tenantId: TenantId, own: Kept): Promise<HoldingsAnswer> => {
    own.counting ??= count(services, tenantId)
      .then((answer) => {
        own.answer = answer;
        own.countedAtMs = services.clock.monotonicMs();
        return answer;
      })
      .finally(() => {
        own.counting = undefined;
      });
    return own.counting;
  };
  return {
    async get(tenantId) {
      const own = kept.get(tenantId) ?? { answer: undefined, countedAtMs: 0, counting: undefined };
      if (kept.size >= TENANTS_COUNT_MAX && !kept.has(tenantId)) kept.clear();
      kept.set(tenantId, own);
      if (own.answer === undefined) return begin(tenantId, own);
      if (services.clock.monotonicMs() - own.countedAtMs > COUNTED_FOR_MS) {
        begin(tenantId, own).catch((error: unknown) =>
          services.log.warn('holdings could not be counted', { error }),
        );
      }
      return own.answer;
    },
  };
}

// Sizes of sealed values come from the containers' own heads; a collection with one sealed field set needs
// no look inside: its value is the container without six bytes.
const COUNT = `
  WITH heads AS (
    SELECT collection_id, subject_id, octet_length(plain::text) AS plain_size,
           substring(facts FROM '"origin":"([a-z0-9-]+)"') AS origin,
           CASE get_byte(sealed, 1)
             WHEN 0 THEN '{}'::integer[]
             WHEN 1 THEN ARRAY[octet_length(sealed) - 6]
             ELSE cell.sealed_sizes(sealed)
           END AS sizes
      FROM cell.records WHERE tenant_id = $1)
  SELECT collection_id, origin, grouping(origin) = 1 AS is_total, count(*) AS records,
         CASE WHEN grouping(origin) = 1 THEN count(DISTINCT subject_id) ELSE 0 END AS subjects,
         sum(plain_size) AS plain_size,
         ARRAY[sum(sizes[1]), sum(sizes[2]), sum(sizes[3]), sum(sizes[4]), sum(sizes[5]), sum(sizes[6]),
               sum(sizes[7]), sum(sizes[8]), sum(sizes[9]), sum(sizes[10]), sum(sizes[11]), sum(sizes[12]),
               sum(sizes[13]), sum(sizes[14]), sum(sizes[15]), sum(sizes[16])]::text[] AS sealed_sizes
    FROM heads GROUP BY GROUPING SETS ((collection_id, origin), (collection_id))`;

async function count(services: CellServices, tenantId: TenantId): Promise<HoldingsAnswer> {
  const countedAt = toInstant(services.clock.nowMs());
  const collections = await collectionsOf(services).list(tenantId);
  const rows = await services.database.withTenant(tenantId, async (tx) => {
    await tx.query(`SET LOCAL statement_timeout = ${COUNT_TIMEOUT_MS}`);
    return (await tx.query<CountRow>(COUNT, [tenantId])).rows;
  });
  const totals = new Map(rows.filter((row) => row.is_total).map((row) => [row.collection_id, row]));
  const described = collections.map((one) => toCollection(one, totals.get(one.id)));
  return {
    cell: services.cellId,
    countedAt,
    recordsCount: described.reduce((sum, one) => sum + one.recordsCount, 0),
    sizeBytes: described
      .flatMap(({ fieldSets }) => fieldSets)
      .reduce((sum, one) => sum + one.sizeBytes, 0),
    collections: described,
    origins: toOrigins(rows.filter((row) => !row.is_total)),
  };
}

function toCollection(
  { id, schema, fieldSets }: CompiledCollection,
  total: CountRow | undefined,
): HoldingCollection {
  const sealed = fieldSets.filter(({ protection }) => protection === 'sealed');
  const plain = fieldSets.filter(({ protection }) => protection === 'plain');
  const sizeOf = (set: CompiledCollection['fieldSets'][number]): number => {
    if (total === undefined) return 0;
    if (set.protection === 'sealed') return Number(total.sealed_sizes?.[sealed.indexOf(set)] ?? 0);
    // Plain fields of all sets lie in one value: what it takes is told once, with the first set.
    return set === plain[0] ? Number(total.plain_size) : 0;
  };
  const sets = fieldSets.map((set): HoldingFieldSet => {
    const { name, category, purpose, protection, subject } = set;
    return {
      name,
      class: set.class,
      category,
      purpose,
      protection,
      subject,
      sizeBytes: sizeOf(set),
    };
  });
  return {
    collection: id,
    ...(schema.description === undefined ? {} : { description: schema.description }),
    recordsCount: Number(total?.records ?? 0),
    subjectsCount: Number(total?.subjects ?? 0),
    fieldSets: sets,
  };
}

function toOrigins(rows: readonly CountRow[]): HoldingsAnswer['origins'] {
  const sums = new Map<string, number>();
  for (const { origin, records } of rows) {
    if (origin !== null) sums.set(origin, (sums.get(origin) ?? 0) + Number(records));
  }
  return [...sums]
    .map(([origin, recordsCount]) => ({ origin, recordsCount }))
    .sort((a, b) => b.recordsCount - a.recordsCount || (a.origin < b.origin ? -1 : 1));
}
