// SPDX-License-Identifier: Apache-2.0
// Goal: default deny, forbid wins, elements one by one, unknown is a denial, terms only narrow, and that
// remembering parts of flows never changes an answer. Method: the retailer's charter, single flows, and
// every witness of its folded space in many orders.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type CompiledCharter,
  compileCharter,
  createCharterDimensions,
  listMatched,
  parseCharter,
  parseTerms,
  toAssignment,
  toCharterFlow,
  toVerdict,
  walkSpace,
} from '@bailiwick/charter';
import type { Flow } from '@bailiwick/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from './engine.ts';

const TEXT = readFileSync(new URL('../../../charters/retailer.yaml', import.meta.url), 'utf8');
const charter: CompiledCharter = compileCharter(parseCharter(TEXT), {
  sha256: (text) => hash('sha256', text, 'hex'),
});
const engine = createEngine(charter, { serial: 7 });
const AT_MS = Date.UTC(2026, 10, 20);

/** A shop's service in Germany reads a German customer's address to deliver an order: allowed. */
const READ: Flow = {
  actor: {
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'substantial',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    categories: ['contact'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', location: 'de', operator: 'de' },
  purpose: 'order-fulfilment',
  consent: 'absent',
  conditions: [],
  atMs: AT_MS,
};
const data = (parts: Partial<Flow['data']>): Pick<Flow, 'data'> => ({
  data: { ...READ.data, ...parts },
});
const actor = (parts: Partial<Flow['actor']>): Pick<Flow, 'actor'> => ({
  actor: { ...READ.actor, ...parts },
});

/** A change names values of the closed sets. */
function parseFlow(flow: object): Flow {
  return flow as Flow;
}

/** German customers' e-mails to America for analytics. */
const EMAILS: Flow = {
  ...READ,
  ...actor({ role: 'analyst', kind: 'person' }),
  action: 'transfer',
  to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
  purpose: 'analytics',
};
const INGEST: Flow = {
  ...READ,
  action: 'ingest',
  to: { kind: 'cell', id: 'eu-de/main', location: 'de', operator: 'de' },
};

/** Flows with a value that the charter does not know, by the attribute. */
const UNKNOWN: readonly (readonly [attribute: string, flow: Flow])[] = [
  ['actor.role', { ...READ, ...actor({ role: 'king' }) }],
  ['actor.employer', { ...READ, ...actor({ employer: 'nobody' }) }],
  ['actor.place', { ...READ, ...actor({ place: 'eea' }) }],
  ['data.category', { ...READ, ...data({ categories: ['contact', 'gossip'] }) }],
  ['data.regime', { ...READ, ...data({ regimes: ['lgpd'] }) }],
  ['data.regime', { ...READ, ...data({ regimes: ['gdpr', 'lgpd'] }) }],
  ['data.origin', { ...READ, ...data({ origin: 'bh' }) }],
  ['data.residency', { ...READ, ...data({ residency: 'eu-fr' }) }],
  ['purpose', { ...READ, purpose: 'world-peace' }],
  ['mechanism', { ...READ, mechanism: 'handshake' }],
  ['condition', { ...READ, conditions: ['full-moon'] }],
  ['to.id', { ...INGEST, to: { kind: 'cell', id: 'eu-fr/main', location: 'fr', operator: 'fr' } }],
  ['to.location', { ...READ, to: { kind: 'reader', location: 'atlantis', operator: 'de' } }],
  ['to.operator', { ...READ, to: { kind: 'reader', location: 'de', operator: 'atlantis' } }],
  ['to', { ...INGEST, to: { kind: 'cell', id: 'us-va/main', location: 'de', operator: 'de' } }],
  ['to', { ...INGEST, to: { kind: 'cell', id: 'eu-de/main', location: 'de', operator: 'us' } }],
  ['period', { ...READ, atMs: Number.NaN }],
  ['period', { ...READ, atMs: Number.POSITIVE_INFINITY }],
  [
    'data.category',
    { ...READ, ...data({ categories: Array.from({ length: 65 }, () => 'contact') }) },
  ],
  ['data.regime', { ...READ, ...data({ regimes: Array.from({ length: 65 }, () => 'gdpr') }) }],
];

describe('decide', () => {
  it('allows a read at home and names the rule, its reason, the charter and its serial', () => {
    expect(engine.decide(READ)).toMatchObject({
      outcome: 'allow',
      rules: ['read-at-home'],
      reasons: [{ rule: 'read-at-home', source: 'GDPR Art. 6(1)(b)' }],
      obligations: [],
      nearest: [],
      charter: { hash: charter.hash, serial: 7 },
    });
  });

  it('gives the same object for the same rules', () => {
    expect(engine.decide({ ...READ, atMs: AT_MS + 1 })).toBe(engine.decide(READ));
    expect(engine.decide({ ...READ, ...data({ categories: ['contact', 'contact'] }) })).toBe(
      engine.decide(READ),
    );
    expect(Object.isFrozen(engine.decide(READ))).toBe(true);
  });

  it('denies what no rule allows', () => {
    const flow = { ...READ, purpose: 'operations' };
    expect(engine.decide(flow)).toMatchObject({ outcome: 'deny', cause: 'no-rule', rules: [] });
  });

  it('lets a rule that forbids win, and tells only what forbids', () => {
    const flow = { ...READ, conditions: ['processing-restricted'] };
    expect(engine.decide(flow)).toMatchObject({
      outcome: 'deny',
      cause: 'forbidden',
      rules: ['kept-and-not-used'],
    });
  });

  const denied: readonly (readonly [name: string, flow: Flow])[] = [
    ['German e-mails to America for analytics', EMAILS],
    [
      'a read from India',
      {
        ...READ,
        ...actor({ place: 'in' }),
        to: { kind: 'reader', location: 'in', operator: 'in' },
      },
    ],
    [
      'support from India without a mechanism',
      {
        ...READ,
        ...actor({ role: 'support-agent', kind: 'person', employer: 'processor', place: 'in' }),
        action: 'support',
        purpose: 'customer-support',
        to: { kind: 'reader', location: 'in', operator: 'in' },
      },
    ],
    [
      'support from India under a mechanism of another regime',
      {
        ...READ,
        ...actor({ role: 'support-agent', kind: 'person', employer: 'processor', place: 'in' }),
        ...data({ regimes: ['appi'] }),
        action: 'support',
        purpose: 'customer-support',
        mechanism: 'scc',
        to: { kind: 'reader', location: 'in', operator: 'in' },
      },
    ],
    [
      'German data taken in in Virginia',
      { ...INGEST, to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' } },
    ],
    [
      'a backup in another cell',
      {
        ...INGEST,
        ...actor({ role: 'operator' }),
        action: 'backup',
        purpose: 'operations',
        to: { kind: 'cell', id: 'uk-lon/main', location: 'uk', operator: 'uk' },
      },
    ],
    ['health data', { ...INGEST, ...data({ categories: ['health'] }) }],
    [
      'health data beside contact data',
      { ...INGEST, ...data({ categories: ['contact', 'health'] }) },
    ],
    ['people in telemetry', { ...INGEST, action: 'telemetry', purpose: 'operations' }],
    ['marketing without consent', { ...READ, purpose: 'marketing' }],
    [
      'marketing after consent was withdrawn',
      { ...READ, purpose: 'marketing', consent: 'withdrawn' },
    ],
    [
      'erasure under a legal hold',
      { ...INGEST, action: 'erase', purpose: 'legal-obligation', conditions: ['legal-hold'] },
    ],
    [
      'a person with a password alone',
      { ...READ, ...actor({ kind: 'person', role: 'privacy-officer', assurance: 'low' }) },
    ],
    [
      'a mail platform without clauses',
      {
        ...READ,
        action: 'export',
        to: { kind: 'provider', id: 'mail-platform', location: 'ie', operator: 'us' },
      },
    ],
    [
      'plain statistics to the control plane',
      { ...EMAILS, purpose: 'statistics', to: { kind: 'control', location: 'de', operator: 'de' } },
    ],
    [
      'a move to London without an instruction',
      {
        ...INGEST,
        ...actor({ role: 'tenant-admin' }),
        action: 'transfer',
        mechanism: 'adequacy',
        to: { kind: 'cell', id: 'uk-lon/main', location: 'uk', operator: 'uk' },
      },
    ],
    [
      'a move to London after the adequacy decision has ended',
      {
        ...INGEST,
        ...actor({ role: 'tenant-admin' }),
        action: 'transfer',
        mechanism: 'adequacy',
        conditions: ['tenant-instructed'],
        to: { kind: 'cell', id: 'uk-lon/main', location: 'uk', operator: 'uk' },
        atMs: Date.UTC(2032, 0, 1),
      },
    ],
  ];
  for (const [name, flow] of denied) {
    it(`denies ${name}`, () => {
      expect(engine.decide(flow)).toMatchObject({ outcome: 'deny' });
      expect(engine.decide(flow).cause).not.toBe('unknown-value');
    });
  }

  const allowed: readonly (readonly [name: string, flow: Flow, obligations: readonly object[]])[] =
    [
      ['ingest at home', INGEST, []],
      [
        'figures to America',
        { ...EMAILS, form: 'aggregated' },
        [{ kind: 'aggregate', minimumCount: 10 }],
      ],
      [
        'figures to the control plane',
        {
          ...EMAILS,
          form: 'aggregated',
          purpose: 'statistics',
          to: { kind: 'control', location: 'de', operator: 'de' },
        },
        [{ kind: 'aggregate', minimumCount: 10 }],
      ],
      [
        'an analyst, with a mask',
        { ...READ, ...actor({ role: 'analyst' }), purpose: 'analytics' },
        [
          {
            kind: 'mask',
            categories: ['contact', 'content', 'credential', 'financial', 'location', 'technical'],
          },
        ],
      ],
      [
        'support from India under clauses',
        {
          ...READ,
          ...actor({ role: 'support-agent', kind: 'person', employer: 'processor', place: 'in' }),
          action: 'support',
          purpose: 'customer-support',
          mechanism: 'scc',
          to: { kind: 'reader', location: 'in', operator: 'in' },
        },
        [{ kind: 'mask', categories: ['contact'] }, { kind: 'log' }, { kind: 'notify' }],
      ],
      [
        'a move to London while it is adequate',
        {
          ...INGEST,
          ...actor({ role: 'tenant-admin' }),
          action: 'transfer',
          mechanism: 'adequacy',
          conditions: ['tenant-instructed'],
          to: { kind: 'cell', id: 'uk-lon/main', location: 'uk', operator: 'uk' },
        },
        [{ kind: 'log' }, { kind: 'checkpoint' }],
      ],
      ['marketing with consent', { ...READ, purpose: 'marketing', consent: 'given' }, []],
      [
        'public data anywhere',
        { ...EMAILS, ...data({ class: 'public', categories: [], regimes: [] }) },
        [],
      ],
      [
        'a Channel Islander’s data under both laws',
        {
          ...READ,
          ...data({
            regimes: ['gg-dpl', 'je-dpl'],
            origin: 'channel-islands',
            residency: 'uk-lon',
          }),
          to: { kind: 'reader', location: 'uk', operator: 'uk' },
        },
        [],
      ],
    ];
  for (const [name, flow, obligations] of allowed) {
    it(`allows ${name}`, () => {
      expect(engine.decide(flow)).toMatchObject({ outcome: 'allow', obligations });
    });
  }

  for (const [attribute, flow] of UNKNOWN) {
    it(`denies an unknown ${attribute} and does not repeat it`, () => {
      for (const before of [READ, INGEST, flow]) {
        engine.decide(before);
        const decision = engine.decide(flow);
        expect(decision).toMatchObject({ outcome: 'deny', cause: 'unknown-value', rules: [] });
        expect(decision.reasons[0]?.rule).toBe(`unknown:${attribute}`);
      }
      expect(JSON.stringify(engine.explain(flow))).not.toContain('atlantis');
    });
  }

  it('decides data of no category and under no regime as one element and not as nothing', () => {
    const bare = data({ categories: [], regimes: [] });
    expect(engine.decide({ ...READ, ...bare, purpose: 'operations' })).toMatchObject({
      outcome: 'deny',
      cause: 'no-rule',
    });
    expect(engine.decide({ ...READ, ...bare })).toMatchObject({ outcome: 'allow' });
  });

  it('adds up the obligations of all elements and tells all refusals', () => {
    const figures = {
      ...EMAILS,
      form: 'aggregated' as const,
      ...data({ categories: ['contact', 'transactional'], regimes: ['gdpr', 'ch-fadp'] }),
    };
    expect(engine.decide(figures).obligations).toEqual([{ kind: 'aggregate', minimumCount: 10 }]);
    const plain = { ...EMAILS, ...data({ regimes: ['gdpr', 'uk-gdpr'] }) };
    expect(engine.decide(plain).rules).toEqual([
      'european-data-in-third-countries',
      'british-data-in-third-countries',
      'no-profiles-to-america',
      'foreign-law-reaches-operators',
    ]);
  });
});

/** Every reachable combination of rules: a flow, and what it comes to by a walk without memory. */
const WITNESSES: readonly { readonly flow: Flow; readonly rules: readonly string[] }[] = walkSpace(
  createCharterDimensions(charter),
  new Int32Array(charter.masks.wordCount).fill(-1),
  () => false,
).map((state) => ({
  flow: toCharterFlow(charter, toAssignment(state)),
  rules: toVerdict(charter.rules, listMatched(charter.variants, state.mask)).rules,
}));

describe('what an engine remembers', () => {
  it('never changes an answer, in any order and with unknown values between', () => {
    const order = fc.array(
      fc.tuple(fc.constantFrom(...WITNESSES), fc.option(fc.constantFrom(...UNKNOWN))),
      { minLength: 50, maxLength: 300 },
    );
    const check = ({ flow, rules }: (typeof WITNESSES)[number], spoilt: Flow | undefined): void => {
      if (spoilt) {
        // The same flow but for what is unknown: what that leaves behind must not be believed.
        const { actor, data, to, purpose, mechanism = 'scc', conditions } = spoilt;
        engine.decide({ ...flow, actor });
        engine.decide({ ...flow, data });
        engine.decide({ ...flow, to });
        engine.decide({ ...flow, purpose, mechanism, conditions });
        engine.decide({ ...flow, to: { ...flow.to, operator: 'atlantis' } });
        engine.decide({ ...flow, actor: { ...flow.actor, employer: 'nobody' } });
        engine.decide({ ...flow, mechanism: 'handshake' });
      }
      expect(engine.decide(flow).rules).toEqual(rules);
    };
    const property = fc.property(order, (steps) => {
      for (const [witness, spoilt] of steps) check(witness, spoilt?.[1]);
    });
    fc.assert(property, { numRuns: 30 });
  });

  it('does not let a value that was refused once pass the second time', () => {
    for (const [, flow] of UNKNOWN) {
      for (const { flow: other } of WITNESSES.slice(0, 20)) {
        engine.decide(other);
        expect(engine.decide(flow).cause).toBe('unknown-value');
      }
    }
  });
});

describe('explain', () => {
  it('proposes aggregation for e-mails to America', () => {
    const { decision, words } = engine.explain(EMAILS);
    expect(decision.nearest[0]).toEqual({
      words: 'would be allowed as `aggregated`',
      change: { form: 'aggregated' },
      rules: ['figures-between-cells'],
    });
    expect(words).toContain('GDPR Art. 44');
    expect(words).toContain('would be allowed as `aggregated`');
  });

  it('proposes a mechanism, the home cell, consent, or two changes at once', () => {
    const india: Flow = {
      ...READ,
      ...actor({ role: 'support-agent', kind: 'person', employer: 'processor', place: 'in' }),
      action: 'support',
      purpose: 'customer-support',
      to: { kind: 'reader', location: 'in', operator: 'in' },
    };
    expect(engine.explain(india).decision.nearest[0]?.change).toEqual({ mechanism: 'scc' });
    const misplaced: Flow = {
      ...INGEST,
      to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
    };
    expect(engine.explain(misplaced).decision.nearest[0]?.change).toEqual({ to: 'eu-de/main' });
    expect(engine.explain({ ...READ, purpose: 'marketing' }).decision.nearest[0]?.change).toEqual({
      consent: 'given',
    });
    const twice: Flow = { ...EMAILS, purpose: 'marketing' };
    expect(engine.explain(twice).decision.nearest[0]?.change).toEqual({
      form: 'aggregated',
      purpose: 'analytics',
    });
  });

  it('only proposes what is then allowed, with the rules that allow it, and three at most', () => {
    let proposed = 0;
    for (const { flow } of WITNESSES) {
      const { nearest } = engine.explain(flow).decision;
      expect(nearest.length).toBeLessThanOrEqual(3);
      for (const { change, rules } of nearest) {
        const { to: id, ...rest } = change;
        const cell = charter.cells.find((item) => item.id === id);
        const to = cell
          ? { kind: 'cell', id: cell.id, location: cell.location, operator: cell.operator }
          : flow.to;
        const changed = parseFlow({ ...flow, ...rest, to });
        expect(engine.decide(changed)).toMatchObject({ outcome: 'allow', rules });
        proposed += 1;
      }
    }
    expect(proposed).toBeGreaterThan(500);
  });

  it('proposes nothing for unknown values and nothing on an allow', () => {
    expect(engine.explain({ ...READ, purpose: 'world-peace' }).decision.nearest).toEqual([]);
    expect(engine.explain(READ).decision).toBe(engine.decide(READ));
  });
});

describe('contract terms', () => {
  const narrow = (terms: object) =>
    createEngine(charter, { serial: 7, terms: parseTerms({ terms: 1, version: 1, ...terms }) });

  it('deny what they leave out, and say that it is they', () => {
    const cases: readonly (readonly [object, Flow])[] = [
      [{ purposes: ['statistics'] }, READ],
      [{ residencies: ['uk-lon'] }, READ],
      [{ supportPlaces: ['uk'] }, READ],
      [
        { forbid: [{ forbid: 'no-reads', action: 'read', because: 'agreed', source: '§ 7' }] },
        READ,
      ],
    ];
    for (const [terms, flow] of cases) {
      expect(narrow(terms).decide(flow)).toMatchObject({
        outcome: 'deny',
        cause: 'terms-narrower',
      });
    }
    expect(
      narrow({
        purposes: ['order-fulfilment'],
        residencies: ['eu-de'],
        supportPlaces: ['eea'],
      }).decide(READ).outcome,
    ).toBe('allow');
  });

  it('never allow what the charter denies, anywhere in the space', () => {
    const engines = [
      narrow({ purposes: ['statistics', 'analytics'] }),
      narrow({ residencies: ['eu-de'], supportPlaces: ['de', 'fr'] }),
      narrow({
        forbid: [
          { forbid: 'none-out', to: { id: { not: 'home' } }, because: 'agreed', source: '§ 7' },
        ],
      }),
    ];
    let narrowed = 0;
    for (const { flow } of WITNESSES) {
      const isAllowed = engine.decide(flow).outcome === 'allow';
      for (const other of engines) {
        const decision = other.decide(flow);
        if (decision.outcome === 'allow') expect(isAllowed).toBe(true);
        else if (isAllowed) narrowed += 1;
      }
    }
    expect(narrowed).toBeGreaterThan(100);
  });
});
