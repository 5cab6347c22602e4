// SPDX-License-Identifier: Apache-2.0
// Walks a whole database and looks for values that must not be in it, in the shapes that a value takes
// when it leaks: as it is, in another case, in base64, hex, URL- or JSON-escaped, or as a plain hash.
// Findings name places and never values.
import { createHash } from 'node:crypto';

/** The little that is needed of a client of `pg`. */
export interface QueryClient {
  query(
    text: string,
    values?: unknown[],
  ): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>;
}

/** A place where one of the values was found. */
export interface PersonalTrace {
  readonly schema: string;
  readonly table: string;
  /** Position of the value in what was given. */
  readonly valueIndex: number;
  /** `plain`, `base64`, `hex`, `url`, `json`, `sha256`. */
  readonly form: string;
}

/** What a walk saw: a guard that saw nothing is no guard. */
export interface PersonalWalk {
  readonly traces: readonly PersonalTrace[];
  readonly tablesCount: number;
  readonly rowsCount: number;
  readonly charactersCount: number;
}

/** Shorter values are in every text by chance. */
export const VALUE_LENGTH_MIN = 5;
const GRAM = 5;
const PAGE_ROWS = 500;

interface Needle {
  readonly text: string;
  readonly valueIndex: number;
  readonly form: string;
}

/** The middle of a value's base64 at each alignment: what stands whatever came before and after. */
function toBase64Cores(bytes: Buffer): readonly string[] {
  return [0, 1, 2].flatMap((shift) => {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString('base64');
    const core = whole.slice(shift === 0 ? 0 : 4);
    return core.length >= 8 ? [core, core.replaceAll('+', '-').replaceAll('/', '_')] : [];
  });
}

function toNeedles(value: string, valueIndex: number): readonly Needle[] {
  const bytes = Buffer.from(value, 'utf8');
  const forms: (readonly [form: string, text: string])[] = [
    ['plain', value.toLowerCase()],
    ['plain', value.normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase()],
    ['hex', bytes.toString('hex')],
    ['url', encodeURIComponent(value).toLowerCase()],
    ['json', JSON.stringify(value).slice(1, -1).toLowerCase()],
    ['sha256', createHash('sha256').update(value).digest('hex')],
    ['sha256', createHash('sha256').update(value.toLowerCase()).digest('hex')],
    ...toBase64Cores(bytes).map((core) => ['base64', core.toLowerCase()] as const),
  ];
  const seen = new Set<string>();
  return forms.flatMap(([form, text]) => {
    if (text.length < GRAM || seen.has(text)) return [];
    seen.add(text);
    return [{ text, valueIndex, form }];
  });
}

/** Needles by their first characters, so that a text is read once however many needles there are. */
function toIndex(values: readonly string[]): ReadonlyMap<string, readonly Needle[]> {
  const index = new Map<string, Needle[]>();
  for (const [valueIndex, value] of values.entries()) {
    if (value.length < VALUE_LENGTH_MIN) continue;
    for (const needle of toNeedles(value, valueIndex)) {
      const gram = needle.text.slice(0, GRAM);
      const group = index.get(gram);
      if (group === undefined) index.set(gram, [needle]);
      else group.push(needle);
    }
  }
  return index;
}

function findIn(text: string, index: ReadonlyMap<string, readonly Needle[]>): readonly Needle[] {
  const found: Needle[] = [];
  for (let at = 0; at + GRAM <= text.length; at += 1) {
    const group = index.get(text.slice(at, at + GRAM));
    if (group === undefined) continue;
    for (const needle of group) if (text.startsWith(needle.text, at)) found.push(needle);
  }
  return found;
}

/** Envelopes hold base64 of documents: what is inside counts as written. */
function unwrap(text: string): string {
  const inner = [...text.matchAll(/[A-Za-z0-9+/_-]{40,}={0,2}/g)].map(([encoded]) =>
    Buffer.from(encoded, 'base64').toString('utf8'),
  );
  return [text, ...inner].join('\n');
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/**
 * Looks for values in every table of the database that `client` is connected to, system catalogues
 * included as far as they hold names and comments.
 *
 * Values of fewer than five characters are left out; they are in every text by chance.
 */
export async function findPersonalTraces(
  client: QueryClient,
  values: readonly string[],
): Promise<PersonalWalk> {
  const index = toIndex(values);
  const traces = new Map<string, PersonalTrace>();
  let rowsCount = 0;
  let charactersCount = 0;
  const look = (schema: string, table: string, row: unknown): void => {
    const text = unwrap(String(row)).toLowerCase();
    rowsCount += 1;
    charactersCount += text.length;
    for (const { valueIndex, form } of findIn(text, index)) {
      const trace = { schema, table, valueIndex, form };
      traces.set(JSON.stringify(trace), trace);
    }
  };
  const { rows: tables } = await client.query(
    `SELECT n.nspname AS schema, c.relname AS name FROM pg_class c
     JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition
       AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_%'
     ORDER BY 1, 2`,
  );
  for (const { schema, name } of tables) {
    const [from, table] = [String(schema), String(name)];
    const whole = `SELECT to_jsonb(t)::text AS row FROM ${quote(from)}.${quote(table)} t`;
    for (let offset = 0; ; offset += PAGE_ROWS) {
      const page = await client.query(`${whole} ORDER BY ctid OFFSET $1 LIMIT $2`, [
        offset,
        PAGE_ROWS,
      ]);
      for (const { row } of page.rows) look(from, table, row);
      if (page.rows.length < PAGE_ROWS) break;
    }
  }
  const { rows: names } = await client.query(
    `SELECT description AS row FROM pg_description WHERE objoid >= 16384
     UNION ALL SELECT relname FROM pg_class WHERE oid >= 16384
     UNION ALL SELECT attname FROM pg_attribute WHERE attrelid >= 16384
     UNION ALL SELECT rolname FROM pg_roles`,
  );
  for (const { row } of names) look('pg_catalog', 'names', row);
  return { traces: [...traces.values()], tablesCount: tables.length, rowsCount, charactersCount };
}
