// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter`: a charter on this machine, without any cell.
import { hash } from 'node:crypto';
import path from 'node:path';
import process from 'node:process';
import { type CompiledCharter, compileCharter, parseCharter } from '@bailiwick/charter';
import { type Flow, parseInstant } from '@bailiwick/kernel';
import { createEngine } from '@bailiwick/policy';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { parseFlow, toDecisionText } from './decide.ts';
import { argument, readMapping, readVariables } from './input.ts';
import type { Input } from './run.ts';

/** A problem as a charter's reader finds it. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly file?: string;
  readonly line: number;
  readonly column: number;
  readonly expected?: string;
  readonly suggestion?: string;
}

/** Reads and compiles a charter file. */
export function loadCharter(file: string, options: Input['options'] = {}): CompiledCharter {
  const text = readText(file, 'the charter');
  const document = parseCharter(text, {
    fileName: file,
    variables: readVariables(options),
    include: (name) => readText(path.resolve(path.dirname(file), name), 'an included charter'),
  });
  return compileCharter(document, { sha256: (value) => hash('sha256', value, 'hex') });
}

function findProblems(error: unknown): readonly Problem[] | undefined {
  if (!(error instanceof Error) || !('problems' in error)) return undefined;
  return Array.isArray(error.problems) ? error.problems : undefined;
}

/** Runs `bailiwick charter check <file>`. */
export async function runCharterCheck(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const file = argument(args, 0);
  let charter: CompiledCharter;
  try {
    charter = loadCharter(file, options);
  } catch (error) {
    const problems = findProblems(error);
    if (problems === undefined) throw error;
    process.exitCode = EXIT.failed;
    output.result({ v: 1, file, isValid: false, problems }, () =>
      problems.map((problem) => toProblemText(problem, file)).join('\n'),
    );
    return;
  }
  const homes = [...charter.homes.values()];
  const value = {
    v: 1,
    file,
    isValid: true,
    name: charter.name,
    hash: charter.hash,
    rulesCount: charter.rules.length,
    cells: charter.cells.map(({ id }) => id),
    homesCount: homes.length,
  };
  output.result(value, () =>
    [
      `${charter.name}: valid (${charter.rules.length} rules, ${charter.cells.length} cells, atlas of ${charter.atlasDate})`,
      `hash ${charter.hash}`,
    ].join('\n'),
  );
}

/** A problem with its place, in one line. */
export function toProblemText(problem: Problem, file: string): string {
  const place = `${problem.file ?? file}:${problem.line}:${problem.column}`;
  const { message, suggestion } = problem;
  const isTold = suggestion === undefined || message.includes('did you mean');
  const expected =
    problem.expected === undefined || !isTold || message.includes('did you mean')
      ? ''
      : `; expected ${problem.expected}`;
  const hint = isTold ? '' : `; did you mean \`${suggestion}\`?`;
  return `${place}: ${problem.message}${expected}${hint} [${problem.code}]`;
}

/** Runs `bailiwick charter explain <file> --flow <file>`. */
export async function runCharterExplain(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const charter = load(argument(args, 0), options);
  const { at, consent, conditions, ...flow } = parseFlow(
    readMapping(String(options['flow']), 'the flow'),
  );
  const engine = createEngine(charter, { serial: 1 });
  const asked: Flow = {
    ...flow,
    consent: consent ?? 'absent',
    conditions: [...(conditions ?? [])].sort(),
    atMs: at === undefined ? Date.now() : parseInstant(at),
  };
  const { decision, words } = engine.explain(asked);
  output.result(
    { v: 1, decision, words },
    () => `${words}\n\n${toDecisionText(decision, output.paint)}`,
  );
  if (decision.outcome === 'deny') process.exitCode = EXIT.denied;
}

/** Runs `bailiwick charter compile <file> --to <language>`. */
export async function runCharterCompile(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const charter = load(argument(args, 0), options);
  const language = String(options['to']);
  if (language === 'json') {
    output.result(charter.document, () => JSON.stringify(charter.document, null, 2));
    return;
  }
  const texts = await import('@bailiwick/charter');
  if (language === 'cedar') {
    const { policies, schema } = texts.toCedar(charter);
    output.result({ v: 1, policies, schema }, () => `${policies}\n`);
    return;
  }
  if (language === 'rego') {
    const rego = texts.toRego(charter);
    output.result({ v: 1, rego }, () => `${rego}\n`);
    return;
  }
  throw new CliError('CLI_USAGE_WRONG', `no language \`${language}\``, {
    hint: 'one of cedar, rego, json',
  });
}

/** As `loadCharter`, with the first problem in one line. */
export function load(file: string, options: Input['options'] = {}): CompiledCharter {
  try {
    return loadCharter(file, options);
  } catch (error) {
    const [problem] = findProblems(error) ?? [];
    if (problem === undefined) throw error;
    throw new CliError('CLI_INPUT_REFUSED', toProblemText(problem, file), {
      hint: `all of them: \`bailiwick charter check ${file}\``,
      cause: error,
    });
  }
}
