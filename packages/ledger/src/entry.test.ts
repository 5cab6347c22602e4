// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { type EntryBody, parseEntryBody, toCanonicalBody, toSlowCanonicalBody } from './entry.ts';

/** A body with every field. */
function aBody(changes: Partial<EntryBody> = {}): EntryBody {
  return {
    v: 1,
    id: '0198c0de-0000-7000-8000-000000000001' as EntryBody['id'],
    at: '2026-11-20T08:00:00.000Z',
    cell: 'eu-de/main' as EntryBody['cell'],
    tenant: '0198c0de-0000-7000-8000-00000000000a' as NonNullable<EntryBody['tenant']>,
    kind: 'write',
    actor: {
      role: 'shop-service',
      kind: 'workload',
      account: '0198c0de-0000-7000-8000-0000000000aa',
      place: 'de',
      employer: 'controller',
      assurance: 'high',
    },
    flow: {
      to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
      action: 'transfer',
      data: {
        class: 'sensitive',
        residency: 'eu-de',
        origin: 'de',
        categories: ['contact'],
        regimes: ['gdpr'],
      },
      form: 'aggregated',
      purpose: 'statistics',
      mechanism: 'scc',
      consent: 'absent',
      conditions: ['k-10'],
      at: '2026-11-20T08:00:00.000Z',
    },
    decision: {
      outcome: 'deny',
      rules: ['r1'],
      obligations: [],
      cause: 'forbidden',
      charter: 'aa',
      serial: 3,
    },
    subject: '00112233445566778899aabbccddeeff',
    records: { hash: 'ab'.repeat(32), count: 2 },
    writes: { items: '', hash: 'cd'.repeat(32), count: 0 },
    facts: { zeta: 1.5, alpha: 'ö "quoted" \u0001', list: ['b', 'a'], yes: true },
    request: '0198c0de-0000-7000-8000-0000000000bb',
    ...changes,
  };
}

describe('an entry body', () => {
  it('has one text, the same by the fast way and the slow one', () => {
    const { tenant: _tenant, ...ofTheCell } = aBody();
    const { v, id, at, cell, kind } = aBody();
    const bodies = [aBody(), ofTheCell, { v, id, at, cell, kind }, aBody({ facts: {} })];
    for (const body of bodies) {
      const text = toCanonicalBody(body);
      expect(text).toBe(toSlowCanonicalBody(body));
      expect(parseEntryBody(text)).toEqual(body);
    }
  });

  it('keeps the words that look like escapes of surrogates, and refuses lone surrogates', () => {
    for (const value of ['\\ud83d', 'a\\ud', '\u{1f642}', '\ufffd']) {
      const body = aBody({ facts: { value } });
      expect(toCanonicalBody(body)).toBe(toSlowCanonicalBody(body));
    }
    expect(() => toCanonicalBody(aBody({ facts: { value: '\ud83d' } }))).toThrow(
      expect.objectContaining({ code: 'LEDGER_ENTRY_INVALID' }),
    );
  });

  it.each([
    ['a number that is none', { facts: { a: Number.NaN } }],
    ['a count that is none', { records: { count: Number.POSITIVE_INFINITY, hash: 'ab' } }],
    ['the name of a fact that engines reorder', { facts: { 1: 'a' } }],
    ['the name of a fact that is a prototype', { facts: JSON.parse('{"__proto__":"a"}') }],
    ['a fact that nests', { facts: { a: { b: 1 } as never } }],
    ['a fact that is nothing', { facts: { a: null as never } }],
    ['a body that is too long', { facts: { a: 'x'.repeat(1_048_577) } }],
  ] as const)('is not made of %s', (_what, changes) => {
    expect(() => toCanonicalBody(aBody(changes))).toThrow(
      expect.objectContaining({ code: 'LEDGER_ENTRY_INVALID' }),
    );
  });

  const mangled = (change: (value: Record<string, unknown>) => unknown): string => {
    const value = JSON.parse(toCanonicalBody(aBody()));
    return JSON.stringify(change(value) ?? value);
  };

  it.each([
    ['what is not JSON', 'nothing'],
    ['an array', '[]'],
    ['null', 'null'],
    ['another version', mangled((value) => void Object.assign(value, { v: 2 }))],
    ['an unknown field', mangled((value) => ({ ...value, zz: 1 }))],
    [
      'an unknown field inside',
      mangled(({ actor, ...value }) => ({ actor: { ...(actor as object), zz: 1 }, ...value })),
    ],
    ['an absent field', mangled(({ kind: _kind, ...value }) => value)],
    [
      'an absent field inside',
      mangled((value) => void Object.assign(value, { records: { count: 1 } })),
    ],
    ['an unknown kind', mangled((value) => void Object.assign(value, { kind: 'nothing' }))],
    ['an id that is none', mangled((value) => void Object.assign(value, { id: 'x' }))],
    [
      'an instant that is none',
      mangled((value) => void Object.assign(value, { at: '2026-13-01' })),
    ],
    ['a cell that is none', mangled((value) => void Object.assign(value, { cell: 'EU' }))],
    ['a tenant that is none', mangled((value) => void Object.assign(value, { tenant: null }))],
    [
      'an outcome that is none',
      mangled((value) => void Object.assign(value, { decision: { outcome: 'maybe' } })),
    ],
    [
      'a subject that is no hex',
      mangled((value) => void Object.assign(value, { subject: 'anna@example.org' })),
    ],
    [
      'items of odd length',
      mangled(
        (value) =>
          void Object.assign(value, { writes: { count: 1, hash: 'ab'.repeat(32), items: 'AAAA' } }),
      ),
    ],
    [
      'a negative count',
      mangled(
        (value) => void Object.assign(value, { records: { count: -1, hash: 'ab'.repeat(32) } }),
      ),
    ],
    ['facts that nest', mangled((value) => void Object.assign(value, { facts: { a: { b: 1 } } }))],
    ['white space', `${toCanonicalBody(aBody())} `],
    ['another order of fields', mangled(({ v, ...value }) => ({ v, ...value }))],
  ])('is not read from %s', (_what, text) => {
    expect(() => parseEntryBody(text)).toThrow(
      expect.objectContaining({ code: 'LEDGER_ENTRY_INVALID' }),
    );
  });
});
