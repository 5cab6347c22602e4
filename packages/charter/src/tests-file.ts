// SPDX-License-Identifier: Apache-2.0
// Reads a file of tests beside a charter, and turns the short flows in it into whole ones: what a case
// leaves out comes from the file, from the charter (where a cell stands, where a country's data lives) or
// is the plainest there is.
import { type Flow, type Obligation, parseDate, parseInstant } from '@bailiwick/kernel';
import { type CompiledCharter, findOrigin, homeOf } from './compile.ts';
import { CharterError, type CharterProblem } from './errors.ts';
import { HOME } from './flow-box.ts';
import { PROBLEM_COUNT_MAX } from './limits.ts';
import { readYaml } from './read.ts';
import { checkShape } from './shape.ts';
import { CHARTER_TESTS_SCHEMA } from './tests-schema.ts';

/** A flow as a test writes it. */
export interface TestFlow {
  readonly actor?: Partial<Flow['actor']>;
  readonly action?: Flow['action'];
  readonly data?: Partial<Flow['data']> & { readonly from?: string };
  readonly form?: Flow['form'];
  readonly to?: Partial<Flow['to']>;
  readonly purpose?: string;
  readonly mechanism?: string;
  readonly consent?: Flow['consent'];
  readonly conditions?: readonly string[];
  readonly at?: string;
}

/** What must come out; what is absent does not matter. */
export interface TestExpectation {
  readonly decision?: 'allow' | 'deny';
  readonly rules?: readonly string[];
  readonly cause?: string;
  readonly obligations?: readonly Obligation[];
  readonly nearest?: readonly Readonly<Record<string, string>>[];
  readonly cell?: string;
  readonly regimes?: readonly string[];
  readonly refused?: boolean;
}

export interface CharterTestCase {
  readonly case: string;
  readonly home?: string;
  readonly flow?: TestFlow;
  readonly expect: TestExpectation;
  /** Line of the file, from 1. */
  readonly line: number;
}

/** A file of tests that has been read. */
export interface CharterTests {
  readonly charter: string;
  readonly at?: string;
  readonly flow: TestFlow;
  readonly cases: readonly CharterTestCase[];
}

interface Written extends Omit<CharterTests, 'flow' | 'cases'> {
  readonly flow?: TestFlow;
  readonly cases: readonly Omit<CharterTestCase, 'line'>[];
}

/** The value has been checked against the schema. */
function parseWritten(value: unknown): Written {
  return value as Written;
}

/** An expectation that nothing can break tests nothing. */
function findEmptiness(written: Omit<CharterTestCase, 'line'>): string | undefined {
  const { home, flow, expect } = written;
  const isHome = home !== undefined;
  const ofHome = [expect.cell, expect.regimes, expect.refused].some((item) => item !== undefined);
  const ofFlow = [expect.rules, expect.cause, expect.obligations, expect.nearest].some(
    (item) => item !== undefined,
  );
  if (isHome && flow !== undefined) return 'a case is about a home or about a flow';
  if (isHome && !ofHome) return 'a case about a home expects `cell`, `regimes` or `refused`';
  if (isHome && (ofFlow || expect.decision !== undefined)) return 'a home has no decision';
  if (!isHome && ofHome) return '`cell`, `regimes` and `refused` belong to a case about a home';
  return !isHome && expect.decision === undefined ? 'a case expects a `decision`' : undefined;
}

/**
 * Reads a file of tests.
 *
 * @throws {CharterError} `CHARTER_TESTS_INVALID` with `problems`
 */
export function parseCharterTests(
  text: string,
  options: { readonly fileName?: string } = {},
): CharterTests {
  const file = options.fileName === undefined ? {} : { file: options.fileName };
  const reading = readYaml(text);
  const problems: CharterProblem[] = reading.problems.map((problem) => ({ ...problem, ...file }));
  const report = (problem: Omit<CharterProblem, 'line' | 'column'>): void => {
    if (problems.length >= PROBLEM_COUNT_MAX) return;
    problems.push({ ...problem, ...reading.locate(problem.pointer), ...file });
  };
  const stop = (): void => {
    const [first] = problems;
    if (!first) return;
    const where = `${first.file ?? 'tests'}:${first.line}:${first.column}`;
    throw new CharterError('CHARTER_TESTS_INVALID', `${where}: ${first.message}`, { problems });
  };
  stop();
  checkShape(CHARTER_TESTS_SCHEMA, reading.value, '', report);
  stop();
  const { flow = {}, cases, ...rest } = parseWritten(reading.value);
  cases.forEach((written, index) => {
    const message = findEmptiness(written);
    const pointer = `/cases/${index}/expect`;
    const expected = 'an expectation that something could break';
    if (message !== undefined)
      report({ code: 'CHARTER_SHAPE_INVALID', message, pointer, expected });
  });
  stop();
  return {
    ...rest,
    flow,
    cases: cases.map((written, index) => ({
      ...written,
      line: reading.locate(`/cases/${index}`).line,
    })),
  };
}

function merge(base: TestFlow, own: TestFlow): TestFlow {
  return {
    ...base,
    ...own,
    ...(base.actor || own.actor ? { actor: { ...base.actor, ...own.actor } } : {}),
    ...(base.data || own.data ? { data: { ...base.data, ...own.data } } : {}),
    // A destination hangs together: half of another one means nothing.
    ...(own.to ? { to: own.to } : {}),
  };
}

/** A whole flow, or what is missing to make one, in words. */
export type ToldFlow =
  | { readonly ok: true; readonly flow: Flow }
  | { readonly ok: false; readonly because: string };

const incomplete = (because: string): ToldFlow => ({ ok: false, because });

function toData(
  charter: CompiledCharter,
  data: NonNullable<TestFlow['data']>,
): Flow['data'] | string {
  const { from } = data;
  const label = from === undefined ? undefined : findOrigin(charter, from);
  if (from !== undefined && label === undefined) return `nobody knows the label \`${from}\``;
  const origin = data.origin ?? label;
  if (origin === undefined) return 'the flow does not say where its data is from';
  const home = homeOf(charter, origin);
  const residency = data.residency ?? (home.ok ? home.residency : undefined);
  if (residency === undefined) return `data from \`${origin}\` has no home`;
  return {
    class: data.class ?? 'restricted',
    categories: data.categories ?? [],
    regimes: data.regimes ?? (home.ok ? home.regimes : []),
    origin,
    residency,
  };
}

function toDestination(
  charter: CompiledCharter,
  to: Partial<Flow['to']>,
  residency: string,
): Flow['to'] | string {
  const cell = charter.cells.find(({ id }) =>
    to.id === HOME
      ? toText(id).startsWith(`${residency}/`)
      : id === to.id || id === `${to.id}/main`,
  );
  const provider = charter.providers.find(({ id }) => id === to.id);
  const declared = cell ?? provider;
  const id = declared === undefined ? to.id : toText(declared.id);
  const kind = to.kind ?? (cell ? 'cell' : provider ? 'provider' : undefined);
  const location = to.location ?? declared?.location;
  if (kind === undefined) return 'the flow does not say what kind its destination is';
  if (location === undefined) return 'the flow does not say where its destination stands';
  const operator = to.operator ?? declared?.operator ?? location;
  return { kind, ...(id === undefined ? {} : { id }), location, operator };
}

/** A branded id as the text that it is. */
function toText(id: string): string {
  return id;
}

function toActor(
  charter: CompiledCharter,
  flow: TestFlow,
  residency: string,
): Flow['actor'] | string {
  const { actor = {} } = flow;
  const { role } = actor;
  if (role === undefined) return 'the flow does not say in which role somebody acts';
  const cell = charter.cells.find((item) => item.residency === residency);
  const roles = charter.document.roles;
  return {
    kind: actor.kind ?? (Object.hasOwn(roles, role) ? roles[role]?.kind : undefined) ?? 'person',
    role,
    employer: actor.employer ?? charter.employers[0] ?? '',
    assurance: actor.assurance ?? 'high',
    place: actor.place ?? cell?.location ?? '',
  };
}

/** Makes the flow of a case whole. */
export function toTestFlow(
  charter: CompiledCharter,
  tests: CharterTests,
  own: TestFlow | undefined,
): ToldFlow {
  const flow = merge(tests.flow, own ?? {});
  const { action, purpose, form = 'plain', consent = 'absent', conditions = [], mechanism } = flow;
  if (action === undefined) return incomplete('the flow does not say what is done');
  if (purpose === undefined) return incomplete('the flow does not say for what purpose');
  if (flow.to === undefined) return incomplete('the flow does not say where to');
  const data = toData(charter, flow.data ?? {});
  if (typeof data === 'string') return incomplete(data);
  const to = toDestination(charter, flow.to, data.residency);
  if (typeof to === 'string') return incomplete(to);
  const actor = toActor(charter, flow, data.residency);
  if (typeof actor === 'string') return incomplete(actor);
  const at = flow.at ?? tests.at ?? charter.atlasDate;
  return {
    ok: true,
    flow: {
      actor,
      action,
      data,
      form,
      to,
      purpose,
      ...(mechanism === undefined || mechanism === 'none' ? {} : { mechanism }),
      consent,
      conditions: [...conditions].sort(),
      atMs: at.includes('T') ? parseInstant(at) : parseDate(at),
    },
  };
}
