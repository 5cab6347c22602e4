// SPDX-License-Identifier: Apache-2.0
// The charter as Rego (v1), for users' own OPA, Gatekeeper or Conftest. The input is one element of a
// flow, with the shape of the Cedar context and `action` beside it; absent values are `"none"`. No engine
// of this project runs it: Cedar is the twin that is held equal.
import { ACTIONS } from '@bailiwick/kernel';
import type { CompiledCharter } from './compile.ts';
import { type Conjunct, createConditionsReader, type Span } from './conjunct.ts';

const quote = (text: string): string => JSON.stringify(text);

function spanToText({ fromMs, untilMs }: Span): string {
  const parts = [
    ...(fromMs === undefined ? [] : [`input.at >= ${fromMs}`]),
    ...(untilMs === undefined ? [] : [`input.at < ${untilMs}`]),
  ];
  return parts.join('; ');
}

/** One condition as statements; several spans of time are several bodies. */
function toStatements(conjunct: Conjunct): readonly string[] {
  if (conjunct.kind === 'condition') {
    return [`${conjunct.isTrue ? '' : 'not '}${quote(conjunct.condition)} in input.given`];
  }
  if (conjunct.kind === 'spans') return conjunct.spans.map(spanToText);
  const set = `input.${conjunct.attribute} in {${conjunct.values.map(quote).join(', ')}}`;
  return [`${conjunct.isNot ? 'not ' : ''}${set}`];
}

/** Every way of choosing one statement per condition. */
function toBodies(conjuncts: readonly Conjunct[]): readonly (readonly string[])[] {
  return conjuncts.reduce<readonly (readonly string[])[]>(
    (bodies, conjunct) =>
      toStatements(conjunct).flatMap((statement) => bodies.map((body) => [...body, statement])),
    [[]],
  );
}

/** Writes a charter as Rego. */
export function toRego(charter: CompiledCharter): string {
  const read = createConditionsReader(charter);
  const lines = [
    `# Generated from the charter \`${charter.name}\`, ${charter.hash}. Do not edit.`,
    'package bailiwick.charter',
    '',
    'import rego.v1',
    '',
    'default allow := false',
    '',
    'allow if {',
    '  known',
    '  count(allowing) > 0',
    '  count(forbidding) == 0',
    '}',
    '',
    'known if {',
    `  input.action in {${ACTIONS.map(quote).join(', ')}}`,
  ];
  for (const { id, values } of charter.attributes) {
    if (id === 'action' || id === 'period' || id.startsWith('given.')) continue;
    lines.push(`  input.${id} in {${values.map(quote).join(', ')}}`);
  }
  lines.push(
    `  every condition in input.given { condition in {${[...charter.conditions, ''].map(quote).join(', ')}} }`,
    '  is_number(input.at)',
    '  not elsewhere',
    '}',
    '',
  );
  for (const { id, location, operator } of [...charter.cells, ...charter.providers]) {
    for (const [key, value] of [
      ['location', location],
      ['operator', operator],
    ] as const) {
      lines.push(
        `elsewhere if { input.to.id == ${quote(id)}; input.to.${key} != ${quote(value)} }`,
      );
    }
  }
  charter.rules.forEach((rule, index) => {
    const boxes = charter.variants
      .filter((variant) => variant.rule === index)
      .map((variant) => variant.box);
    lines.push('', `# ${rule.because.replaceAll(/\s+/g, ' ')} (${rule.source})`);
    for (const box of boxes) {
      for (const body of toBodies(read([box]).common)) {
        const set = rule.effect === 'allow' ? 'allowing' : 'forbidding';
        lines.push(
          `${set} contains ${quote(rule.id)} if {`,
          ...(body.length === 0 ? ['true'] : body).map((line) => `  ${line}`),
          '}',
        );
      }
    }
  });
  return `${lines.join('\n')}\n`;
}
