// SPDX-License-Identifier: Apache-2.0
// Goal: the difference between two charters misses no widening, for cells ask for approvals by it. Method:
// the retailer's charter with rules dropped, swapped and narrowed at random; every witness of either space
// is decided by both engines, and what flips must be told, and what is told must flip, also any other flow
// that the words cover.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type CharterDocument,
  type CompiledCharter,
  compileCharter,
  createCharterDimensions,
  diffCharters,
  type FlowDifference,
  isAtLeast,
  parseCharter,
  type RuleClause,
  toAssignment,
  toCharterFlow,
  walkSpace,
} from '@bailiwick/charter';
import type { Decision, Flow } from '@bailiwick/kernel';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createEngine } from './engine.ts';

const document = parseCharter(
  readFileSync(new URL('../../../charters/retailer.yaml', import.meta.url), 'utf8'),
);

function compile(changed: CharterDocument): CompiledCharter {
  return compileCharter(changed, { sha256: (text) => hash('sha256', text, 'hex') });
}

function listWitnesses(charter: CompiledCharter): readonly Flow[] {
  const start = new Int32Array(charter.masks.wordCount).fill(-1);
  return walkSpace(createCharterDimensions(charter), start, () => false).map((state) =>
    toCharterFlow(charter, toAssignment(state)),
  );
}

const base = compile(document);
const witnesses = listWitnesses(base);

type Step = (before: CharterDocument) => CharterDocument;

/** One change to a rule, or to the words of the charter. */
const changes: fc.Arbitrary<Step> = fc.oneof(
  fc.nat({ max: document.rules.length - 1 }).map(
    (index) =>
      (before: CharterDocument): CharterDocument => ({
        ...before,
        rules: before.rules.filter((_, at) => at !== index),
      }),
  ),
  fc
    .tuple(
      fc.nat({ max: document.rules.length - 1 }),
      fc.constantFrom<Partial<RuleClause>>(
        { purpose: 'analytics' },
        { form: 'plain' },
        { consent: 'given' },
        { given: 'tenant-instructed' },
        { unless: 'legal-hold' },
        { until: '2027-01-01' },
        { mechanism: 'scc' },
        { data: { class: 'restricted' } },
        { to: { location: 'eea' } },
      ),
    )
    .map(
      ([index, change]) =>
        (before: CharterDocument): CharterDocument => ({
          ...before,
          rules: before.rules.map((rule, at) => (at === index ? { ...rule, ...change } : rule)),
        }),
    ),
  fc.constantFrom<Step>(
    (before) => ({ ...before, roles: { ...before.roles, intern: { means: 'a new role' } } }),
    (before) => ({ ...before, conditions: { ...before.conditions, sunny: 'a new condition' } }),
    (before) => ({
      ...before,
      cells: { ...before.cells, 'us-va/main': { location: 'us', operator: 'us', territory: 'us' } },
    }),
    (before) => ({
      ...before,
      providers: {
        'parcel-carrier': { means: 'moved', location: 'in', operator: 'in' },
        'mail-platform': { means: 'as before', location: 'ie', operator: 'us' },
      },
    }),
  ),
);

const isLooser = (before: Decision, after: Decision): boolean =>
  after.outcome === 'allow' &&
  (before.outcome === 'deny' || !isAtLeast(after.obligations, before.obligations));

/** Some flow of those that a difference speaks of: any value where it names none. */
function pickFlow(
  charters: readonly CompiledCharter[],
  { flow, where }: FlowDifference,
  pick: (count: number) => number,
): Flow {
  const choose = (id: string): string => {
    const all = charters.flatMap(
      ({ attributes }) => attributes.find((item) => item.id === id)?.values ?? [],
    );
    const values = where[id] ?? all;
    return values[pick(values.length)] ?? '';
  };
  const list = (id: string): readonly string[] => [choose(id)].filter((value) => value !== 'none');
  const isNamed = flow.to.id !== undefined;
  const mechanism = choose('mechanism');
  const conditions = charters.flatMap((charter) => charter.conditions);
  const changed = {
    actor: {
      kind: choose('actor.kind'),
      role: choose('actor.role'),
      employer: choose('actor.employer'),
      assurance: choose('actor.assurance'),
      place: choose('actor.place'),
    },
    action: choose('action'),
    data: {
      class: choose('data.class'),
      categories: list('data.category'),
      regimes: list('data.regime'),
      origin: choose('data.origin'),
      residency: choose('data.residency'),
    },
    form: choose('form'),
    to: isNamed
      ? { ...flow.to, kind: choose('to.kind') }
      : {
          kind: choose('to.kind'),
          location: choose('to.location'),
          operator: choose('to.operator'),
        },
    purpose: choose('purpose'),
    ...(mechanism === 'none' ? {} : { mechanism }),
    consent: choose('consent'),
    conditions: [...new Set(conditions)].filter((name) => {
      const values = where[`given.${name}`] ?? ['false', 'true'];
      return values[pick(values.length)] === 'true';
    }),
    atMs: flow.atMs,
  };
  return changed as Flow;
}

it('tells a widening whenever some flow widens, and only then', () => {
  let widened = 0;
  let seed = 1;
  const pick = (count: number): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((seed / 2 ** 32) * count);
  };
  const property = fc.property(fc.array(changes, { minLength: 1, maxLength: 3 }), (steps) => {
    let charter: CompiledCharter;
    try {
      charter = compile(steps.reduce((before, step) => step(before), document));
    } catch {
      return; // a rule that excludes itself: no charter
    }
    const [before, after] = [
      createEngine(base, { serial: 1 }),
      createEngine(charter, { serial: 2 }),
    ];
    const { widenings, narrowings } = diffCharters(base, charter);
    const flows = [...witnesses, ...listWitnesses(charter)];
    const isWider = flows.some((flow) => isLooser(before.decide(flow), after.decide(flow)));
    const isNarrower = flows.some((flow) => isLooser(after.decide(flow), before.decide(flow)));
    if (isWider) expect(widenings.length).toBeGreaterThan(0);
    if (isNarrower) expect(narrowings.length).toBeGreaterThan(0);
    for (const difference of widenings) {
      const { flow } = difference;
      expect(isLooser(before.decide(flow), after.decide(flow))).toBe(true);
      for (let round = 0; round < 8; round += 1) {
        const other = pickFlow([base, charter], difference, pick);
        const told = [before.decide(other), after.decide(other)] as const;
        if (!isLooser(...told))
          throw new Error(
            `${difference.words} is not so for ${JSON.stringify(other)}: ${JSON.stringify(told)}`,
          );
      }
    }
    for (const { flow } of narrowings) {
      expect(isLooser(after.decide(flow), before.decide(flow))).toBe(true);
    }
    if (widenings.length > 0) widened += 1;
  });
  fc.assert(property, { numRuns: 12 });
  expect(widened).toBeGreaterThan(2);
}, 120_000);
