// SPDX-License-Identifier: Apache-2.0
// The charter as Cedar policies, one per rule, readable and valid against the schema that goes with them.
// A request stands for one element of a flow (one category, one regime); absent values are `"none"`.
// Obligations have no place in Cedar: they stand in annotations and are the engine's to give.
import { ACTIONS } from '@bailiwick/kernel';
import { ATTRIBUTE_IDS, NONE } from './attribute.ts';
import type { CompiledCharter } from './compile.ts';
import { type Conjunct, createConditionsReader, type Span } from './conjunct.ts';

/** A charter in Cedar. */
export interface CedarText {
  /** All policies as one text. */
  readonly policies: string;
  /** Cedar schema (human-readable form) that they are valid against. */
  readonly schema: string;
  /** The same policies by rule id. */
  readonly policiesById: Readonly<Record<string, string>>;
  /**
   * Policies that forbid what the charter does not know, by an id of theirs: without them a value that is
   * no member of a closed set would pass rules that do not ask for it.
   */
  readonly closingById: Readonly<Record<string, string>>;
}

const quote = (text: string): string => JSON.stringify(text.replaceAll(/\s+/g, ' '));
const toPath = (attribute: string): string => attribute.replace(/^/, 'context.');
const toAction = (action: string): string => `Bailiwick::Action::${quote(action)}`;

function spanToText({ fromMs, untilMs }: Span): string {
  const parts = [
    ...(fromMs === undefined ? [] : [`context.at >= ${fromMs}`]),
    ...(untilMs === undefined ? [] : [`context.at < ${untilMs}`]),
  ];
  return parts.length > 1 ? `(${parts.join(' && ')})` : (parts[0] ?? 'true');
}

function toText(conjunct: Conjunct): string {
  if (conjunct.kind === 'condition') {
    return `${conjunct.isTrue ? '' : '!'}context.given.contains(${quote(conjunct.condition)})`;
  }
  if (conjunct.kind === 'spans') {
    const spans = conjunct.spans.map(spanToText);
    return spans.length === 1 ? (spans[0] ?? 'true') : `(${spans.join(' || ')})`;
  }
  const { attribute, values, isNot, label } = conjunct;
  const comment = label === undefined ? '' : ` // ${label}`;
  const [only] = values;
  if (attribute === 'action') {
    const actions = values.map(toAction).join(', ');
    return `${isNot ? '!(' : ''}action in [${actions}]${isNot ? ')' : ''}`;
  }
  if (values.length === 1 && only !== undefined) {
    return `${toPath(attribute)} ${isNot ? '!=' : '=='} ${quote(only)}`;
  }
  const set = `[${values.map(quote).join(', ')}].contains(${toPath(attribute)})`;
  return `${isNot ? `!(${set})` : set}${comment}`;
}

/** Joins conditions, one a line; a comment on a line stays behind its operator. */
function join(parts: readonly string[], operator: string, indent: string): string {
  return parts
    .map((part, index) => {
      const [text = '', comment] = part.split(' // ');
      const isLast = index === parts.length - 1;
      return `${indent}${text}${isLast ? '' : ` ${operator}`}${comment === undefined ? '' : ` // ${comment}`}`;
    })
    .join('\n');
}

function toAlternative(conjuncts: readonly Conjunct[]): string {
  // Comments would swallow the rest of the line here.
  const parts = conjuncts.map((conjunct) => toText(conjunct).split(' // ')[0] ?? '');
  return parts.length === 0 ? 'true' : `(${parts.join(' && ')})`;
}

/** The schema of every charter's policies: its shapes are the language's, not the charter's. */
export function toCedarSchema(): string {
  const record = (prefix: string): string =>
    ATTRIBUTE_IDS.filter((id) => id.startsWith(`${prefix}.`))
      .map((id) => `${id.slice(prefix.length + 1)}: String`)
      .join(', ');
  return `namespace Bailiwick {
  type Flow = {
    actor: { ${record('actor')} },
    data: { ${record('data')} },
    form: String,
    to: { ${record('to')} },
    purpose: String,
    mechanism: String,
    consent: String,
    given: Set<String>,
    at: Long
  };
  entity Actor;
  entity Data;
  action ${ACTIONS.map(quote).join(', ')}
    appliesTo { principal: [Actor], resource: [Data], context: Flow };
}
`;
}

function toClosing(charter: CompiledCharter): Readonly<Record<string, string>> {
  const closing: Record<string, string> = {};
  const forbid = (id: string, keyword: 'when' | 'unless', condition: string): void => {
    closing[id] =
      `@id(${quote(id)})\nforbid (principal, action, resource)\n${keyword} {\n  ${condition}\n};\n`;
  };
  for (const { id, values } of charter.attributes) {
    if (id === 'action' || id === 'period' || id.startsWith('given.')) continue;
    forbid(`known.${id}`, 'unless', `[${values.map(quote).join(', ')}].contains(${toPath(id)})`);
  }
  forbid(
    'known.given',
    'unless',
    `[${[...charter.conditions, NONE].map(quote).join(', ')}].containsAll(context.given)`,
  );
  for (const { id, location, operator } of [...charter.cells, ...charter.providers]) {
    const isElsewhere = `(context.to.location != ${quote(location)} || context.to.operator != ${quote(operator)})`;
    forbid(`declared.${id}`, 'when', `context.to.id == ${quote(id)} && ${isElsewhere}`);
  }
  return closing;
}

/** Writes a charter as Cedar. */
export function toCedar(charter: CompiledCharter): CedarText {
  const read = createConditionsReader(charter);
  const policiesById: Record<string, string> = {};
  charter.rules.forEach((rule, index) => {
    const boxes = charter.variants
      .filter((variant) => variant.rule === index)
      .map((variant) => variant.box);
    // A rule that exceptions have lifted altogether speaks about nothing.
    if (boxes.length === 0) return;
    const { common, alternatives } = read(boxes);
    const parts = common.map(toText);
    if (alternatives.length > 0) {
      parts.push(`(\n${join(alternatives.map(toAlternative), '||', '    ')}\n  )`);
    }
    const obligations =
      rule.obligations.length === 0
        ? ''
        : `@obligations(${quote(JSON.stringify(rule.obligations))})\n`;
    const when = parts.length === 0 ? '' : `\nwhen {\n${join(parts, '&&', '  ')}\n}`;
    const effect = rule.effect === 'allow' ? 'permit' : 'forbid';
    policiesById[rule.id] =
      `@id(${quote(rule.id)})\n@because(${quote(rule.because)})\n@source(${quote(rule.source)})\n${obligations}${effect} (principal, action, resource)${when};\n`;
  });
  const closingById = toClosing(charter);
  const heading = `// Generated from the charter \`${charter.name}\`, ${charter.hash}. Do not edit.\n`;
  const policies = [heading, ...Object.values(policiesById), ...Object.values(closingById)].join(
    '\n',
  );
  return { policies, schema: toCedarSchema(), policiesById, closingById };
}
