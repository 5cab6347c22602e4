// SPDX-License-Identifier: Apache-2.0
// Runs the tests that stand beside a charter: each flow is explained by the engine and held to what the
// case expects; each label is looked up. Tells also which rules no case has made decide.
import {
  type CharterTestCase,
  type CharterTests,
  type CompiledCharter,
  findOrigin,
  homeOf,
  toTestFlow,
} from '@bailiwick/charter';
import { type Decision, isCoded, type Obligation } from '@bailiwick/kernel';
import { createEngine, type Engine } from './engine.ts';

/** What came of one case. */
export interface CharterTestResult {
  readonly case: string;
  readonly line: number;
  /** What is not as expected, in words; empty: passed. */
  readonly problems: readonly string[];
  /** Rules that decided the case's flow. */
  readonly rules: readonly string[];
}

export interface CharterTestRun {
  readonly results: readonly CharterTestResult[];
  readonly failedCount: number;
  /** Rules that decided in no case. */
  readonly untested: readonly string[];
}

const sorted = (items: readonly string[]): string => [...items].sort().join(', ');
const quote = (items: readonly string[]): string =>
  items.length === 0 ? 'none' : `\`${[...items].sort().join('`, `')}\``;

function toText({ kind, minimumCount, categories }: Obligation): string {
  const count = minimumCount === undefined ? '' : ` ${minimumCount}`;
  return `${kind}${count}${categories === undefined ? '' : ` ${sorted(categories)}`}`;
}

function checkDecision(decision: Decision, { expect }: CharterTestCase): readonly string[] {
  const problems: string[] = [];
  const { outcome, cause, rules, obligations, nearest } = decision;
  if (expect.decision !== outcome) {
    problems.push(`expected ${expect.decision}, is ${outcome} by ${quote(rules)}`);
  }
  // A misspelt name denies everything: that must not pass for the denial that was meant.
  if (cause === 'unknown-value' && expect.cause !== 'unknown-value') {
    problems.push(`${decision.reasons[0]?.because ?? 'the charter does not know a value of it'}`);
  }
  if (expect.cause !== undefined && expect.cause !== cause) {
    problems.push(`expected the cause ${expect.cause}, is ${cause ?? 'none'}`);
  }
  if (expect.rules !== undefined && sorted(expect.rules) !== sorted(rules)) {
    problems.push(`expected the rules ${quote(expect.rules)}, are ${quote(rules)}`);
  }
  const [wanted, own] = [expect.obligations?.map(toText), obligations.map(toText)];
  if (wanted !== undefined && sorted(wanted) !== sorted(own)) {
    problems.push(`expected the obligations ${quote(wanted)}, are ${quote(own)}`);
  }
  for (const change of expect.nearest ?? []) {
    const isProposed = nearest.some((item) =>
      Object.entries(change).every(([key, value]) => item.change[key] === value),
    );
    if (isProposed) continue;
    const proposed = nearest.map(({ words }) => words);
    problems.push(`expected the change ${JSON.stringify(change)} among ${quote(proposed)}`);
  }
  return problems;
}

function checkHome(charter: CompiledCharter, test: CharterTestCase): readonly string[] {
  const { home: label = '', expect } = test;
  const origin = findOrigin(charter, label);
  const home = homeOf(charter, origin ?? '');
  const isRefused = !home.ok;
  const problems: string[] = [];
  if (expect.refused !== undefined && expect.refused !== isRefused) {
    problems.push(isRefused ? `expected a home, has none: ${home.because}` : 'expected no home');
  }
  if (expect.cell !== undefined && (!home.ok || home.cellId !== expect.cell)) {
    problems.push(`expected ${expect.cell}, is ${home.ok ? home.cellId : home.because}`);
  }
  const regimes = home.ok ? home.regimes : [];
  if (expect.regimes !== undefined && sorted(expect.regimes) !== sorted(regimes)) {
    problems.push(`expected the regimes ${quote(expect.regimes)}, are ${quote(regimes)}`);
  }
  return problems;
}

function runCase(engine: Engine, tests: CharterTests, test: CharterTestCase): CharterTestResult {
  const { line } = test;
  const result = { case: test.case, line, rules: [] };
  if (test.home !== undefined) return { ...result, problems: checkHome(engine.charter, test) };
  try {
    const told = toTestFlow(engine.charter, tests, test.flow);
    if (!told.ok) return { ...result, problems: [told.because] };
    const { decision } = engine.explain(told.flow);
    return { ...result, problems: checkDecision(decision, test), rules: decision.rules };
  } catch (error) {
    if (!isCoded(error, 'KERNEL_INSTANT_INVALID')) throw error;
    return { ...result, problems: [error.message] };
  }
}

/** Runs every case. */
export function runCharterTests(charter: CompiledCharter, tests: CharterTests): CharterTestRun {
  const engine = createEngine(charter, { serial: 1 });
  const results = tests.cases.map((test) => runCase(engine, tests, test));
  const tested = new Set(results.flatMap(({ rules }) => rules));
  return {
    results,
    failedCount: results.filter(({ problems }) => problems.length > 0).length,
    untested: charter.rules.map(({ id }) => id).filter((id) => !tested.has(id)),
  };
}
