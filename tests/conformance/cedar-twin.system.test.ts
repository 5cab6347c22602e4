// SPDX-License-Identifier: Apache-2.0
// Goal: the engine and the generated Cedar text say the same about every flow. Method: the space of
// flows of every charter that ships (the retailer's is 5.9 × 10²¹) is held equal twice. Symbolically: the tree into which Cedar parses each
// policy is read back into boxes and must be the rule's boxes, value by value, so both are the same
// function on the whole space. By running: every reachable combination of matching conjunctions has a
// witness flow, and Cedar decides each of them. Random charters and flows follow.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import {
  type CharterDocument,
  CharterError,
  type CompiledCharter,
  compileCharter,
  createCharterDimensions,
  listMatched,
  measureSpace,
  parseCharter,
  type RuleClause,
  toAssignment,
  toCedar,
  toCharterFlow,
  toVerdict,
  walkSpace,
} from '@bailiwick/charter';
import {
  ACTIONS,
  CONSENTS,
  DATA_CLASSES,
  DESTINATION_KINDS,
  type Flow,
  FORMS,
} from '@bailiwick/kernel';
import { createEngine } from '@bailiwick/policy';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BoxesReader } from './cedar-boxes.ts';

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');
const cedar: Cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');
const SCHEMA = 'bailiwick';
const sha256 = (text: string): string => hash('sha256', text, 'hex');
const readCharter = (name: string): CharterDocument =>
  parseCharter(readFileSync(new URL(`../../charters/${name}.yaml`, import.meta.url), 'utf8'));
const retailer = readCharter('retailer');
/** Every charter that ships, with the fewest reachable combinations of rules that it is known to have. */
const WORKED: readonly (readonly [name: string, statesMin: number])[] = [
  ['retailer', 1000],
  ['bank', 30],
  ['imaging-apac', 30],
  ['tutoring-br', 30],
  ['ai-company', 30],
  ['broken', 4],
];

interface Answer {
  readonly outcome: 'allow' | 'deny';
  readonly rules: readonly string[];
}

let serial = 0;

/** Asks Cedar about one element of a flow; requests are validated against the generated schema. */
function createTwin(
  charter: CompiledCharter,
): (flow: Flow, category: string, regime: string) => Answer {
  const { policiesById, closingById, schema } = toCedar(charter);
  serial += 1;
  const set = `charter-${serial}`;
  const policies = { staticPolicies: { ...policiesById, ...closingById } };
  expect(cedar.preparsePolicySet(set, policies)).toEqual({ type: 'success' });
  expect(cedar.preparseSchema(SCHEMA, schema)).toEqual({ type: 'success' });
  return (flow, category, regime) => {
    const { origin, residency } = flow.data;
    const answer = cedar.statefulIsAuthorized({
      principal: { type: 'Bailiwick::Actor', id: 'flow' },
      action: { type: 'Bailiwick::Action', id: flow.action },
      resource: { type: 'Bailiwick::Data', id: 'flow' },
      context: {
        actor: { ...flow.actor },
        data: { class: flow.data.class, category, regime, origin, residency },
        form: flow.form,
        to: { id: 'none', ...flow.to },
        purpose: flow.purpose,
        mechanism: flow.mechanism ?? 'none',
        consent: flow.consent,
        given: [...flow.conditions],
        at: flow.atMs,
      },
      preparsedSchemaName: SCHEMA,
      validateRequest: true,
      preparsedPolicySetId: set,
      entities: [],
    });
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
    const { decision, diagnostics } = answer.response;
    expect(diagnostics.errors).toEqual([]);
    return { outcome: decision, rules: diagnostics.reason };
  };
}

function compareFlow(
  charter: CompiledCharter,
  flow: Flow,
  twin: ReturnType<typeof createTwin>,
): void {
  const decision = createOrGet(charter).decide(flow);
  const answers = (flow.data.categories.length === 0 ? ['none'] : flow.data.categories).flatMap(
    (category) =>
      (flow.data.regimes.length === 0 ? ['none'] : flow.data.regimes).map((regime) =>
        twin(flow, category, regime),
      ),
  );
  const outcome = answers.every((answer) => answer.outcome === 'allow') ? 'allow' : 'deny';
  if (decision.outcome !== outcome) {
    throw new Error(
      `engine ${JSON.stringify(decision)} and Cedar ${JSON.stringify(answers)} differ on ${JSON.stringify(flow)}`,
    );
  }
  if (answers.length > 1 || decision.cause === 'unknown-value') return;
  expect([...decision.rules].sort()).toEqual([...(answers[0]?.rules ?? [])].sort());
}

const engines = new Map<CompiledCharter, ReturnType<typeof createEngine>>();
function createOrGet(charter: CompiledCharter): ReturnType<typeof createEngine> {
  const known = engines.get(charter) ?? createEngine(charter, { serial: 1 });
  engines.set(charter, known);
  return known;
}

/** Any flow that the charter has words for, and some that it has not. */
function flows(charter: CompiledCharter): fc.Arbitrary<Flow> {
  const places = charter.attributes.find((item) => item.id === 'to.location')?.values ?? [];
  const origins = charter.attributes.find((item) => item.id === 'data.origin')?.values ?? [];
  const place = fc.oneof(
    fc.constantFrom('de', 'uk', 'us-va', 'in', 'ch'),
    fc.constantFrom(...places),
  );
  const declared = [...charter.cells, ...charter.providers].map(({ id, location, operator }) => ({
    id,
    location,
    operator,
  }));
  const kind = fc.constantFrom(...DESTINATION_KINDS);
  const start = Date.UTC(2026, 10, 20);
  return fc
    .record({
      actor: fc.record({
        kind: fc.constantFrom('workload' as const, 'person' as const),
        role: fc.constantFrom(...charter.roles),
        employer: fc.constantFrom(...charter.employers, 'nobody'),
        assurance: fc.constantFrom('low' as const, 'substantial' as const, 'high' as const),
        place,
      }),
      action: fc.constantFrom(...ACTIONS),
      data: fc.record({
        class: fc.constantFrom(...DATA_CLASSES),
        categories: fc.uniqueArray(fc.constantFrom(...charter.categories), { maxLength: 2 }),
        regimes: fc.uniqueArray(fc.constantFrom(...charter.regimes), { maxLength: 2 }),
        origin: fc.constantFrom(...origins),
        residency: fc.constantFrom(...charter.residencies),
      }),
      form: fc.constantFrom(...FORMS),
      to: fc.oneof(
        fc.record({ kind, location: place, operator: place }),
        fc.tuple(kind, fc.constantFrom(...declared)).map(([of, item]) => ({ kind: of, ...item })),
        fc.record({
          kind,
          id: fc.constantFrom(...declared.map(({ id }) => id)),
          location: place,
          operator: place,
        }),
      ),
      purpose: fc.constantFrom(...charter.purposes),
      mechanism: fc.constantFrom('none', ...charter.mechanisms.map(({ id }) => id)),
      consent: fc.constantFrom(...CONSENTS),
      conditions: fc.subarray([...charter.conditions]),
      atMs: fc.oneof(
        fc.constantFrom(start, ...charter.instantsMs.flatMap((ms) => [ms - 1, ms])),
        fc.integer({ min: start, max: start + 3e11 }),
      ),
    })
    .map((parts) => parts);
}

const some = <Value>(
  values: readonly Value[],
  most = 3,
): fc.Arbitrary<Value | Value[] | { not: Value[] }> => {
  const list = fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: most });
  return fc.oneof(
    fc.constantFrom(...values),
    list,
    list.map((not) => ({ not })),
  );
};

/** Rules over the retailer's words. */
const clauses: fc.Arbitrary<Omit<RuleClause, 'allow' | 'forbid'>> = fc.record(
  {
    actor: fc.record(
      {
        kind: some(['workload', 'person'] as const),
        role: some(Object.keys(retailer.roles)),
        place: some(['eea', 'uk', 'us', 'home', 'uk-adequate']),
      },
      { requiredKeys: [] },
    ),
    action: some(ACTIONS, 5),
    data: fc.record(
      {
        class: some(DATA_CLASSES),
        category: some([...Object.keys(retailer.categories), 'none']),
        regime: some(['gdpr', 'uk-gdpr', 'cpra', 'none']),
        origin: some(['eea', 'uk', 'us', 'jp']),
        residency: some(['eu-de', 'uk-lon']),
      },
      { requiredKeys: [] },
    ),
    form: some(
      FORMS.filter((form) => form !== 'aggregated'),
      4,
    ),
    to: fc.record(
      {
        kind: some(DESTINATION_KINDS),
        id: some(['home', 'eu-de', 'us-va/main', 'mail-platform', 'none']),
        location: some(['eea', 'eu-adequate', 'us', 'home']),
        operator: some(['eea', 'us']),
      },
      { requiredKeys: [] },
    ),
    purpose: some(Object.keys(retailer.purposes)),
    mechanism: some(['none', 'scc', 'adequacy', 'dpf']),
    consent: some(CONSENTS),
    given: fc.constantFrom('legal-hold', 'tenant-instructed'),
    unless: fc.constantFrom('processing-restricted'),
    from: fc.constantFrom('2026-12-01', '2027-06-01'),
    until: fc.constantFrom('2028-01-01', '2029-01-01'),
    because: fc.constant('because'),
    source: fc.constant('a source'),
  },
  { requiredKeys: ['because', 'source'] },
);

const charters: fc.Arbitrary<CharterDocument> = fc
  .tuple(
    fc.array(fc.tuple(fc.boolean(), clauses), { minLength: 1, maxLength: 12 }),
    fc.option(clauses),
  )
  .map(([rules, exception]): CharterDocument => {
    const written = rules.map(
      ([isAllow, clause], index): RuleClause =>
        isAllow ? { allow: `rule-${index}`, ...clause } : { forbid: `rule-${index}`, ...clause },
    );
    const forbidden = written.find((rule) => rule.forbid !== undefined)?.forbid;
    const {
      because: _because,
      source,
      from: _from,
      ...flow
    } = exception ?? { because: '', source: '' };
    return {
      ...retailer,
      mechanisms: {
        ...retailer.mechanisms,
        dpf: {
          means: 'a framework that was struck down',
          under: { gdpr: 'adequacy' },
          suspendedFrom: '2027-03-01T12:00:00Z',
        },
      },
      rules: written,
      exceptions:
        exception && forbidden
          ? [
              {
                exception: 'exception',
                ...flow,
                lifts: [forbidden],
                until: '2027-01-01',
                approver: 'privacy-officer',
                reason: 'a reason',
                source,
              },
            ]
          : [],
      properties: [],
    };
  });

/** Compiles what is left when the rules that the charter refuses (they can never apply) are dropped. */
function tryCompile(document: CharterDocument): CompiledCharter | undefined {
  try {
    return compileCharter(document, { sha256 });
  } catch (error) {
    if (!(error instanceof CharterError)) throw error;
    const refused = new Set(
      error.problems.map((problem) => problem.pointer.split('/').slice(1, 3).join('/')),
    );
    const rules = document.rules.filter((_, index) => !refused.has(`rules/${index}`));
    if (rules.length === 0 || rules.length === document.rules.length) {
      return document.exceptions?.length ? tryCompile({ ...document, exceptions: [] }) : undefined;
    }
    return tryCompile({ ...document, rules });
  }
}

function readRules(charter: CompiledCharter): void {
  const reader = new BoxesReader(charter);
  const { policiesById } = toCedar(charter);
  charter.rules.forEach((rule, index) => {
    const variants = charter.variants.filter((variant) => variant.rule === index);
    const text = policiesById[rule.id];
    if (variants.length === 0) {
      expect(text).toBeUndefined();
      return;
    }
    const answer = cedar.policyToJson(text ?? '');
    if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
    const { effect, conditions } = answer.json;
    expect(effect).toBe(rule.effect === 'allow' ? 'permit' : 'forbid');
    const read =
      conditions.length === 0
        ? [new Map<number, readonly boolean[]>()]
        : reader.read(conditions[0]?.body);
    const own = variants.map(
      ({ box }) =>
        new Map(box.flatMap((set, at) => (set ? [[at, [...set].map(Boolean)] as const] : []))),
    );
    expect(reader.toKeys(read)).toEqual(reader.toKeys(own));
  });
}

describe.each(WORKED)('the Cedar twin of the charter %s', (name, statesMin) => {
  const charter = compileCharter(readCharter(name), { sha256 });

  it('is valid against its schema', () => {
    const { policies, schema } = toCedar(charter);
    const answer = cedar.validate({ schema, policies: { staticPolicies: policies } });
    expect(answer).toMatchObject({ type: 'success', validationErrors: [], validationWarnings: [] });
  });

  it('says the same as the rules about every value of every attribute', () => {
    readRules(charter);
    const dimensions = createCharterDimensions(charter);
    const size = measureSpace(
      dimensions,
      charter.attributes.map(({ values }) => values.length),
    );
    expect(size.flows).toBeGreaterThan(10n ** 15n);
    expect(size.folded).toBeGreaterThan(10n ** 4n);
  });

  it('decides a witness of every reachable combination of rules as the engine does', () => {
    const twin = createTwin(charter);
    const start = new Int32Array(charter.masks.wordCount).fill(-1);
    const dimensions = createCharterDimensions(charter);
    const states = walkSpace(dimensions, start, () => false);
    const total = states.reduce((sum, state) => sum + state.count, 0);
    expect(total).toBe(Number(measureSpace(dimensions, []).folded));
    expect(states.length).toBeGreaterThan(statesMin);
    const outcomes = new Set<string>();
    for (const state of states) {
      const flow = toCharterFlow(charter, toAssignment(state));
      compareFlow(charter, flow, twin);
      const verdict = toVerdict(charter.rules, listMatched(charter.variants, state.mask));
      const decision = createOrGet(charter).decide(flow);
      expect({
        outcome: decision.outcome,
        rules: decision.rules,
        obligations: decision.obligations,
      }).toEqual(verdict);
      outcomes.add(decision.outcome);
    }
    expect(outcomes).toEqual(new Set(['allow', 'deny']));
  });

  it('decides random flows as the engine does, with several categories and regimes and unknown values', () => {
    const twin = createTwin(charter);
    fc.assert(
      fc.property(flows(charter), (flow) => compareFlow(charter, flow, twin)),
      { numRuns: name === 'retailer' ? 1500 : 500 },
    );
  });
});

describe('the Cedar twins of random charters', () => {
  it('say the same as their rules and decide as their engines', () => {
    let compared = 0;
    fc.assert(
      fc.property(charters, fc.nat(), (document, seed) => {
        const charter = tryCompile(document);
        if (!charter) return;
        readRules(charter);
        const twin = createTwin(charter);
        for (const flow of fc.sample(flows(charter), { numRuns: 25, seed }))
          compareFlow(charter, flow, twin);
        engines.delete(charter);
        compared += 1;
      }),
      { numRuns: 60 },
    );
    expect(compared).toBeGreaterThan(20);
  });
});
