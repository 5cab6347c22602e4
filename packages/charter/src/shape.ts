// SPDX-License-Identifier: Apache-2.0
// Checks a value read from YAML against the charter's schema. Written out rather than taken from a
// validator because a choice of three shapes (one value, several, all but some) must give one error that
// says what was expected, with the near-miss, and not one error for each branch.
import type { CharterProblemCode, UnplacedProblem } from './errors.ts';
import { PROBLEM_COUNT_MAX } from './limits.ts';
import type { JsonSchema } from './schema.ts';
import { findNearest, isLookalike, toSkeleton } from './suggest.ts';

/** Receives problems; the receiver bounds how many it keeps. */
export type Report = (problem: UnplacedProblem) => void;

/** A step of a JSON pointer (RFC 6901 §3). */
export function toPointerStep(key: string | number): string {
  return `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a value is, in words. */
function toWords(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (isObject(value)) return 'a map';
  return typeof value === 'string' ? `\`${value.slice(0, 80)}\`` : `\`${String(value)}\``;
}

/** What a schema expects, in words. */
function toExpected(schema: JsonSchema): string {
  if (schema.enum) return `one of ${schema.enum.map((item) => `\`${item}\``).join(', ')}`;
  if (schema.const !== undefined) return `\`${schema.const}\``;
  if (schema.anyOf) return schema.anyOf.map(toExpected).join(', or ');
  if (schema.type === 'array')
    return `a list of ${schema.items ? toExpected(schema.items) : 'values'}`;
  if (schema.type === 'object') {
    const keys = Object.keys(schema.properties ?? {});
    return keys.length > 0 && keys.length < 8
      ? `a map with ${keys.map((key) => `\`${key}\``).join(', ')}`
      : 'a map';
  }
  if (schema.type === 'integer')
    return `a whole number from ${schema.minimum ?? 0} to ${schema.maximum ?? 'any'}`;
  if (schema.type === 'boolean') return '`true` or `false`';
  return PATTERN_WORDS.find(([part]) => schema.pattern?.includes(part))?.[1] ?? 'a text';
}

const PATTERN_WORDS: readonly (readonly [part: string, words: string])[] = [
  ['T\\d{2}', 'a date such as `2026-11-20` or an instant such as `2026-11-20T12:00:00Z`'],
  ['\\d{4}-', 'a date such as `2026-11-20`'],
  ['[dmy]', 'a term such as `30d`, `18m` or `10y`'],
  ['[smh]', 'a duration such as `60s`'],
  [']{2}-[a-z0-9]{2,8}(', 'a cell such as `eu-de/main`'],
  [']{2}-[a-z0-9]{2,8}$', 'a residency such as `eu-de`'],
  ['^[a-z][a-z0-9]*', 'a name in lower case with hyphens'],
];

/** A text that a schema refuses: the code, why, and what was probably meant. */
interface Refusal {
  readonly code: CharterProblemCode;
  readonly message: string;
  readonly suggestion?: string | undefined;
}

const expressions = new Map<string, RegExp>();

/** Patterns are the schema's own, so there are few. */
function toExpression(pattern: string): RegExp {
  const known = expressions.get(pattern);
  if (known) return known;
  const made = new RegExp(pattern, 'u');
  expressions.set(pattern, made);
  return made;
}

function findRefusal(schema: JsonSchema, value: unknown): Refusal | undefined {
  if (typeof value !== 'string') {
    const message = `expected ${toExpected(schema)}, found ${toWords(value)}`;
    return { code: 'CHARTER_SHAPE_INVALID', message };
  }
  if (schema.enum) {
    if (schema.enum.includes(value)) return undefined;
    const suggestion = findNearest(value, schema.enum);
    return {
      code: isLookalike(value) ? 'CHARTER_NAME_LOOKALIKE' : 'CHARTER_NAME_UNKNOWN',
      message: `${toWords(value)} is not known here${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
      suggestion,
    };
  }
  if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? 2000)) {
    const message = `text of ${value.length} characters is too short or too long`;
    return { code: 'CHARTER_SHAPE_INVALID', message };
  }
  const expression = schema.pattern === undefined ? undefined : toExpression(schema.pattern);
  if (expression === undefined || expression.test(value)) return undefined;
  const skeleton = toSkeleton(value)
    .trim()
    .replaceAll(/[\s_]+/g, '-');
  return {
    code: isLookalike(value) ? 'CHARTER_NAME_LOOKALIKE' : 'CHARTER_NAME_INVALID',
    message: `${toWords(value)} is not ${toExpected(schema)}`,
    suggestion: expression.test(skeleton) ? skeleton : undefined,
  };
}

function checkText(schema: JsonSchema, value: unknown, pointer: string, report: Report): void {
  const refusal = findRefusal(schema, value);
  if (!refusal) return;
  const { code, message, suggestion } = refusal;
  const expected = toExpected(schema);
  report({ code, message, pointer, expected, ...(suggestion === undefined ? {} : { suggestion }) });
}

function checkKeys(
  schema: JsonSchema,
  value: Record<string, unknown>,
  pointer: string,
  report: Report,
): void {
  const properties = schema.properties ?? {};
  const patterns = Object.entries(schema.patternProperties ?? {}).map(
    ([pattern, item]) => [toExpression(pattern), item] as const,
  );
  for (const key of schema.required ?? []) {
    if (!Object.hasOwn(value, key)) {
      const present = findNearest(
        key,
        Object.keys(value).filter((other) => !Object.hasOwn(properties, other)),
      );
      report({
        code: 'CHARTER_SHAPE_INVALID',
        message: `\`${key}\` is missing`,
        pointer,
        expected: `\`${key}\`: ${properties[key]?.description ?? toExpected(properties[key] ?? {})}`,
        ...(present === undefined ? {} : { suggestion: `${key} (instead of ${present})` }),
      });
    }
  }
  let refused = 0;
  for (const [key, item] of Object.entries(value)) {
    if (refused > PROBLEM_COUNT_MAX) return;
    const itemPointer = pointer + toPointerStep(key);
    const itemSchema = Object.hasOwn(properties, key)
      ? properties[key]
      : patterns.find(([pattern]) => pattern.test(key))?.[1];
    if (itemSchema) {
      checkShape(itemSchema, item, itemPointer, report);
      continue;
    }
    refused += 1;
    const nearest = findNearest(key, Object.keys(properties));
    const isNamed = patterns.length > 0;
    report({
      code: isLookalike(key)
        ? 'CHARTER_NAME_LOOKALIKE'
        : isNamed
          ? 'CHARTER_NAME_INVALID'
          : 'CHARTER_KEY_UNKNOWN',
      message: isNamed
        ? `\`${key.slice(0, 80)}\` is not a name that can stand here`
        : `unknown key \`${key.slice(0, 80)}\`${nearest ? `: did you mean \`${nearest}\`?` : ''}`,
      pointer: itemPointer,
      expected: isNamed
        ? (PATTERN_WORDS.find(([part]) =>
            Object.keys(schema.patternProperties ?? {})[0]?.includes(part),
          )?.[1] ?? 'a text')
        : `one of ${Object.keys(properties)
            .map((name) => `\`${name}\``)
            .join(', ')}`,
      ...(nearest === undefined ? {} : { suggestion: nearest }),
    });
  }
}

/** Picks the branch of a choice by the kind of value, so that one mistake gives one error. */
function pickBranch(schema: JsonSchema, value: unknown): JsonSchema | undefined {
  const plain = typeof value === 'number' ? 'integer' : typeof value;
  const kind = Array.isArray(value) ? 'array' : isObject(value) ? 'object' : plain;
  return schema.anyOf?.find((branch) => branch.type === kind);
}

function checkItems(schema: JsonSchema, value: unknown, pointer: string, report: Report): boolean {
  if (!Array.isArray(value)) return false;
  const isFitting =
    value.length >= (schema.minItems ?? 0) && value.length <= (schema.maxItems ?? 2000);
  if (!isFitting) return false;
  value.forEach((item, index) => {
    if (schema.items) checkShape(schema.items, item, pointer + toPointerStep(index), report);
  });
  return true;
}

/** True when the value is of the schema's kind; what is wrong inside of it has been reported then. */
function checkKind(schema: JsonSchema, value: unknown, pointer: string, report: Report): boolean {
  if (schema.const !== undefined) return value === schema.const;
  switch (schema.type) {
    case 'object':
      if (!isObject(value)) return false;
      checkKeys(schema, value, pointer, report);
      return true;
    case 'array':
      return checkItems(schema, value, pointer, report);
    case 'integer':
      return (
        typeof value === 'number' &&
        Number.isInteger(value) &&
        value >= (schema.minimum ?? 0) &&
        value <= (schema.maximum ?? Number.MAX_SAFE_INTEGER)
      );
    case 'boolean':
      return typeof value === 'boolean';
    default:
      checkText(schema, value, pointer, report);
      return true;
  }
}

/** Reports everything in which `value` is not what `schema` says. */
export function checkShape(
  schema: JsonSchema,
  value: unknown,
  pointer: string,
  report: Report,
): void {
  const branch = schema.anyOf ? pickBranch(schema, value) : schema;
  if (branch && checkKind(branch, value, pointer, report)) return;
  report({
    code: 'CHARTER_SHAPE_INVALID',
    message: `expected ${toExpected(schema)}, found ${toWords(value)}`,
    pointer,
    expected: schema.description ?? toExpected(schema),
  });
}
