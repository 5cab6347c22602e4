// SPDX-License-Identifier: Apache-2.0
// What entries are found by: each property of a body that can be asked for is a mark, the beginning of a
// hash. A mark can be another property's by chance, so what is found by marks is held against its body.
import { hash } from 'node:crypto';
import type { EntryBody, EntryFacts } from '@bailiwick/ledger';

/** Properties that entries are found by. */
export type Property =
  | 'kind'
  | 'subject'
  | 'action'
  | 'purpose'
  | 'location'
  | 'destination'
  | 'class'
  | 'category'
  | 'outcome'
  | 'rule'
  | 'key'
  | 'account'
  | 'role'
  | 'collection'
  | 'code';

/** A property and a value that was asked for. */
export type Wanted = readonly [Property, string];

const DOMAIN = 'bailiwick/entry-mark/v1\0';
const KNOWN_COUNT_MAX = 4_096;
const known = new Map<string, bigint>();

/** Beginning of the hash of a property and its value, as PostgreSQL's bigint. */
export function toMark([property, value]: Wanted): bigint {
  const text = `${property}\0${value}`;
  const found = known.get(text);
  if (found !== undefined) return found;
  const mark = hash('sha256', DOMAIN + text, 'buffer').readBigInt64BE(0);
  // Names of rules, purposes and kinds come again and again; people do not.
  if (property !== 'subject' && known.size < KNOWN_COUNT_MAX) known.set(text, mark);
  return mark;
}

function factTexts(facts: EntryFacts | undefined, ...names: readonly string[]): readonly string[] {
  return names.flatMap((name) => {
    const fact = facts?.[name];
    if (typeof fact === 'string') return [fact];
    return Array.isArray(fact) ? (fact as readonly string[]) : [];
  });
}

/** Everything that this body can be found by. */
export function listProperties(body: EntryBody): readonly Wanted[] {
  const { kind, subject, flow, decision, actor, facts } = body;
  const found: Wanted[] = [['kind', kind]];
  const add = (property: Property, value: string | undefined): void => {
    if (value !== undefined) found.push([property, value]);
  };
  add('subject', subject);
  add('action', flow?.action);
  add('purpose', flow?.purpose);
  add('location', flow?.to.location);
  add('destination', flow?.to.id);
  add('class', flow?.data.class);
  for (const category of flow?.data.categories ?? []) add('category', category);
  add('outcome', decision?.outcome);
  for (const rule of decision?.rules ?? []) add('rule', rule);
  for (const key of factTexts(facts, 'key', 'keys')) add('key', key);
  add('account', actor?.account);
  add('role', actor?.role);
  for (const collection of factTexts(facts, 'collection')) add('collection', collection);
  for (const code of factTexts(facts, 'code')) add('code', code);
  return found;
}

/** True when the body has one of each group's properties. */
export function hasEach(body: EntryBody, groups: readonly (readonly Wanted[])[]): boolean {
  const own = new Set(listProperties(body).map(([property, value]) => `${property}\0${value}`));
  return groups.every((group) =>
    group.some(([property, value]) => own.has(`${property}\0${value}`)),
  );
}
