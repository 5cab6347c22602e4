// SPDX-License-Identifier: Apache-2.0
// Goal: `proveCharter` says "holds" if and only if no flow of the unfolded space breaks the property.
// Method: small random charters whose rules and properties speak about a few attributes; every value of
// those attributes, unfolded, in every combination, is decided by the engine, and a reader of clauses that
// knows neither boxes nor masks says whether the flow is within the property. What no clause mentions
// cannot matter and is held at one value. Findings are held to the same flows.
import { hash } from 'node:crypto';
import {
  type CharterDocument,
  CharterError,
  type CompiledCharter,
  compileCharter,
  type FlowClause,
  inspectCharter,
  proveCharter,
  type RuleClause,
} from '@bailiwick/charter';
import { CONSENTS, DATA_CLASSES, DESTINATION_KINDS, type Flow, FORMS } from '@bailiwick/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEngine } from './engine.ts';

const grounds = { because: 'because', source: 'a source' };

const base: CharterDocument = {
  charter: 1,
  name: 'small',
  atlas: '2026-11-20',
  cells: {
    'eu-de/main': { location: 'de', operator: 'de', territory: 'eea' },
    'us-va/main': { location: 'us-va', operator: 'us' },
  },
  homes: {
    eea: { cell: 'eu-de/main', regimes: ['gdpr'], ...grounds },
    us: { cell: 'us-va/main', regimes: ['us-state-privacy'], ...grounds },
  },
  categories: { contact: 'addresses', health: 'health' },
  purposes: {
    care: { means: 'care', basis: ['contract'] },
    ads: { means: 'ads', basis: ['consent'] },
  },
  roles: { clerk: { means: 'clerk' }, robot: { means: 'robot' } },
  employers: { controller: 'us' },
  providers: { mailer: { means: 'mail', location: 'ie', operator: 'us' } },
  mechanisms: {
    scc: { means: 'clauses', under: { gdpr: 'scc' }, until: '2028-01-01' },
  },
  conditions: { hold: 'a hold' },
  rules: [],
};

const some = <Value extends string>(values: readonly Value[]) => {
  const list = fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    fc.constantFrom(...values),
    list,
    list.map((not) => ({ not })),
  );
};

/** Two groups of attributes, each small enough to be written out whole. */
const words = fc.record(
  {
    data: fc.record(
      {
        class: some(DATA_CLASSES),
        category: some(['contact', 'health', 'none']),
        regime: some(['gdpr', 'none']),
      },
      { requiredKeys: [] },
    ),
    form: some(FORMS),
    purpose: some(['care', 'ads']),
    mechanism: some(['none', 'scc']),
    consent: some(CONSENTS),
    given: fc.constant('hold'),
    until: fc.constantFrom('2027-06-01', '2029-01-01'),
  },
  { requiredKeys: [] },
);
const places = fc.record(
  {
    data: fc.record({ residency: some(['eu-de', 'us-va']) }, { requiredKeys: [] }),
    to: fc.record(
      {
        kind: some(DESTINATION_KINDS),
        id: some(['home', 'eu-de/main', 'mailer', 'none']),
        location: some(['eea', 'us', 'home', 'de']),
        operator: some(['eea', 'us', 'in']),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);

function charters(clauses: fc.Arbitrary<FlowClause>): fc.Arbitrary<CharterDocument> {
  return fc
    .tuple(
      fc.array(fc.tuple(fc.boolean(), clauses), { minLength: 1, maxLength: 6 }),
      fc.array(clauses, { minLength: 1, maxLength: 3 }),
    )
    .map(([rules, nevers]) => ({
      ...base,
      rules: rules.map(([isAllow, clause], index): RuleClause => {
        const obligations = [{ kind: 'aggregate', minimumCount: 10 }] as const;
        return isAllow
          ? { allow: `rule-${index}`, ...clause, obligations, ...grounds }
          : { forbid: `rule-${index}`, ...clause, ...grounds };
      }),
      properties: nevers.map((never, index) => ({
        property: `property-${index}`,
        never,
        because: 'because',
      })),
    }));
}

/** Rules that can never apply are refused; the rest of the charter is kept. */
function tryCompile(document: CharterDocument): CompiledCharter | undefined {
  try {
    return compileCharter(document, { sha256: (text) => hash('sha256', text, 'hex') });
  } catch (error) {
    if (!(error instanceof CharterError)) throw error;
    const refused = new Set(
      error.problems.map(({ pointer }) => pointer.split('/').slice(1, 3).join('/')),
    );
    const rules = document.rules.filter((_, index) => !refused.has(`rules/${index}`));
    if (rules.length === 0 || rules.length === document.rules.length) return undefined;
    return tryCompile({ ...document, rules });
  }
}

const valuesOf = (charter: CompiledCharter, id: string): readonly string[] =>
  charter.attributes.find((attribute) => attribute.id === id)?.values ?? [];

function toFlow(parts: {
  readonly data?: Partial<Flow['data']>;
  readonly to?: Flow['to'];
  readonly rest?: Partial<Flow>;
}): Flow {
  return {
    actor: {
      kind: 'person',
      role: 'clerk',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    action: 'read',
    data: {
      class: 'restricted',
      categories: ['contact'],
      regimes: ['gdpr'],
      origin: 'de',
      residency: 'eu-de',
      ...parts.data,
    },
    form: 'plain',
    to: parts.to ?? { kind: 'reader', location: 'de', operator: 'de' },
    purpose: 'care',
    consent: 'given',
    conditions: [],
    atMs: Date.UTC(2026, 10, 20),
    ...parts.rest,
  };
}

const oneOrNone = (value: string): readonly string[] => (value === 'none' ? [] : [value]);

function* listWordFlows(charter: CompiledCharter): Generator<Flow> {
  const instants = [Date.UTC(2026, 0), ...charter.instantsMs];
  for (const dataClass of DATA_CLASSES)
    for (const category of valuesOf(charter, 'data.category'))
      for (const regime of valuesOf(charter, 'data.regime'))
        for (const form of FORMS)
          for (const purpose of charter.purposes)
            for (const mechanism of ['none', 'scc'])
              for (const consent of CONSENTS)
                for (const conditions of [[], ['hold']])
                  for (const atMs of instants) {
                    const data = {
                      class: dataClass,
                      categories: oneOrNone(category),
                      regimes: oneOrNone(regime),
                    };
                    const rest = { form, purpose, consent, conditions, atMs };
                    yield toFlow({
                      data,
                      rest: mechanism === 'none' ? rest : { ...rest, mechanism },
                    });
                  }
}

/** Every destination: each id, and each pair of places, also those that the charter says are wrong. */
function* listPlaceFlows(charter: CompiledCharter): Generator<Flow> {
  const all = valuesOf(charter, 'to.location');
  const declared = [...charter.cells, ...charter.providers].map(({ id }) => id);
  for (const residency of charter.residencies)
    for (const kind of DESTINATION_KINDS)
      for (const location of all)
        for (const operator of all)
          yield toFlow({ data: { residency }, to: { kind, location, operator } });
  for (const residency of charter.residencies)
    for (const kind of DESTINATION_KINDS)
      for (const id of declared)
        for (const location of ['de', 'us-va', 'ie', 'in'])
          for (const operator of ['de', 'us', 'in'])
            yield toFlow({ data: { residency }, to: { kind, id, location, operator } });
}

type Choice = string | readonly string[] | { readonly not: string | readonly string[] } | undefined;

/** True when `accepts` holds for a name of the choice; the other way round for `not`. */
function isChosen(choice: Choice, accepts: (name: string) => boolean): boolean {
  if (choice === undefined) return true;
  if (typeof choice === 'object' && 'not' in choice) return ![choice.not].flat().some(accepts);
  return [choice].flat().some(accepts);
}

const TERRITORY: Readonly<Record<string, string>> = { 'eu-de': 'eea', 'us-va': 'us-va' };
const ONWARD = Date.UTC(2028, 0);

type IsPlace = (place: string, residency: string) => (name: string) => boolean;

function createIsPlace(charter: CompiledCharter): IsPlace {
  return (place, residency) => (name) => {
    const outer = name === 'home' ? (TERRITORY[residency] ?? '') : name;
    return place === outer || (charter.context.book.findMembers(outer)?.has(place) ?? false);
  };
}

/** Is the flow within the clause? Written from the words of the language alone. */
function isWithinClause(clause: FlowClause, flow: Flow, isPlace: IsPlace): boolean {
  const { data, to } = flow;
  const regime = data.regimes[0] ?? 'none';
  const mechanism =
    flow.mechanism === 'scc' && regime === 'gdpr' && flow.atMs < ONWARD ? 'scc' : 'none';
  const equals = (value: string) => (name: string) => name === value;
  return (
    isChosen(clause.data?.class, equals(data.class)) &&
    isChosen(clause.data?.category, equals(data.categories[0] ?? 'none')) &&
    isChosen(clause.data?.regime, equals(regime)) &&
    isChosen(clause.data?.residency, equals(data.residency)) &&
    isChosen(clause.form, equals(flow.form)) &&
    isChosen(clause.purpose, equals(flow.purpose)) &&
    isChosen(clause.mechanism, equals(mechanism)) &&
    isChosen(clause.consent, equals(flow.consent)) &&
    isChosen(clause.to?.kind, equals(to.kind)) &&
    isChosen(clause.to?.id, (name) =>
      name === 'home' ? to.id === `${data.residency}/main` : name === (to.id ?? 'none'),
    ) &&
    isChosen(clause.to?.location, isPlace(to.location, data.residency)) &&
    isChosen(clause.to?.operator, isPlace(to.operator, data.residency)) &&
    (clause.given === undefined || flow.conditions.includes('hold')) &&
    (clause.until === undefined || flow.atMs < Date.parse(clause.until))
  );
}

interface Tally {
  held: number;
  broken: number;
}

function compare(
  document: CharterDocument,
  list: (charter: CompiledCharter) => Iterable<Flow>,
  tally: Tally,
): void {
  const charter = tryCompile(document);
  if (!charter) return;
  const engine = createEngine(charter, { serial: 1 });
  const isPlace = createIsPlace(charter);
  const nevers = charter.document.properties?.map(({ never }) => never) ?? [];
  const breaking: (Flow | undefined)[] = nevers.map(() => undefined);
  const decided = new Set<string>();
  for (const flow of list(charter)) {
    const { outcome, rules } = engine.decide(flow);
    if (outcome === 'deny') continue;
    for (const rule of rules) decided.add(rule);
    nevers.forEach((never, index) => {
      if (breaking[index] === undefined && isWithinClause(never, flow, isPlace))
        breaking[index] = flow;
    });
  }
  proveCharter(charter).properties.forEach(({ holds, witness }, index) => {
    const never = nevers[index];
    if (holds === (breaking[index] !== undefined)) {
      throw new Error(
        `property ${index} of ${JSON.stringify(document)}: ${JSON.stringify(breaking[index])}`,
      );
    }
    expect(witness === undefined).toBe(holds);
    tally[holds ? 'held' : 'broken'] += 1;
    if (witness === undefined || never === undefined) return;
    const { outcome, rules, obligations } = engine.decide(witness.flow);
    expect({ outcome, rules, obligations }).toEqual(witness.verdict);
    expect(outcome).toBe('allow');
    expect(isWithinClause(never, witness.flow, isPlace)).toBe(true);
  });
  const silent = inspectCharter(charter, { nowMs: Date.UTC(2020, 0), withinDays: 0 })
    .filter(({ kind }) => kind === 'rule-shadowed' || kind === 'rule-dead')
    .map(({ subject }) => subject);
  const own = charter.rules.filter(({ effect }) => effect === 'allow').map(({ id }) => id);
  expect(silent.filter((id) => own.includes(id))).toEqual(own.filter((id) => !decided.has(id)));
}

describe('proveCharter against every flow written out', () => {
  it('agrees on words, forms, consent, mechanisms, conditions and time', () => {
    const tally = { held: 0, broken: 0 };
    fc.assert(
      fc.property(charters(words), (document) => compare(document, listWordFlows, tally)),
      { numRuns: 60 },
    );
    expect(tally.held).toBeGreaterThan(5);
    expect(tally.broken).toBeGreaterThan(5);
  }, 60_000);

  it('agrees on every pair of location and operator of every destination', () => {
    const tally = { held: 0, broken: 0 };
    fc.assert(
      fc.property(charters(places), (document) => compare(document, listPlaceFlows, tally)),
      { numRuns: 8 },
    );
    expect(tally.held + tally.broken).toBeGreaterThan(5);
  }, 60_000);
});
