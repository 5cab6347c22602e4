// SPDX-License-Identifier: Apache-2.0
// Checks a value read from YAML against the charter's schema. Written out rather than taken from a
// validator because a choice of three shapes (one value, several, all but some) must give one error that
// says what was expected, with the near-miss, and not one error for each branch.
import type { CharterProblemCode, UnplacedProblem } from './errors.ts';
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

function checkText(schema: JsonSchema, value: unknown, pointer: string, report: Report): void {
  const refuse = (code: CharterProblemCode, message: string, suggestion?: string): void =>
    report({
      code,
      message,
      pointer,
      expected: toExpected(schema),
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  if (typeof value !== 'string')
    return refuse(
      'CHARTER_SHAPE_INVALID',
      `expected ${toExpected(schema)}, found ${toWords(value)}`,
    );
  if (schema.enum) {
    if (schema.enum.includes(value)) return;
    const nearest = findNearest(value, schema.enum);
    return refuse(
      isLookalike(value) ? 'CHARTER_NAME_LOOKALIKE' : 'CHARTER_NAME_UNKNOWN',
      `${toWords(value)} is not known here${nearest ? `: did you mean \`${nearest}\`?` : ''}`,
      nearest,
    );
  }
  if (value.length < (schema.minLength ?? 0) || value.length > (schema.maxLength ?? 2000)) {
    return refuse(
      'CHARTER_SHAPE_INVALID',
      `text of ${value.length} characters is too short or too long`,
    );
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    const skeleton = toSkeleton(value)
      .trim()
      .replaceAll(/[\s_]+/g, '-');
    const suggestion = new RegExp(schema.pattern).test(skeleton) ? skeleton : undefined;
    return refuse(
      isLookalike(value) ? 'CHARTER_NAME_LOOKALIKE' : 'CHARTER_NAME_INVALID',
      `${toWords(value)} is not ${toExpected(schema)}`,
      suggestion,
    );
  }
}

function checkKeys(
  schema: JsonSchema,
  value: Record<string, unknown>,
  pointer: string,
  report: Report,
): void {
  const properties = schema.properties ?? {};
  const patterns = Object.entries(schema.patternProperties ?? {}).map(
    ([pattern, item]) => [new RegExp(pattern), item] as const,
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
  for (const [key, item] of Object.entries(value)) {
    const itemPointer = pointer + toPointerStep(key);
    const itemSchema = Object.hasOwn(properties, key)
      ? properties[key]
      : patterns.find(([pattern]) => pattern.test(key))?.[1];
    if (itemSchema) {
      checkShape(itemSchema, item, itemPointer, report);
      continue;
    }
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
  const kind = Array.isArray(value) ? 'array' : isObject(value) ? 'object' : typeof value;
  return schema.anyOf?.find((branch) => branch.type === kind);
}

/** Reports everything in which `value` is not what `schema` says. */
export function checkShape(
  schema: JsonSchema,
  value: unknown,
  pointer: string,
  report: Report,
): void {
  const refuse = (): void =>
    report({
      code: 'CHARTER_SHAPE_INVALID',
      message: `expected ${toExpected(schema)}, found ${toWords(value)}`,
      pointer,
      expected: schema.description ?? toExpected(schema),
    });
  if (schema.anyOf) {
    const branch = pickBranch(schema, value);
    return branch ? checkShape(branch, value, pointer, report) : refuse();
  }
  if (schema.const !== undefined) return value === schema.const ? undefined : refuse();
  switch (schema.type) {
    case 'object':
      return isObject(value) ? checkKeys(schema, value, pointer, report) : refuse();
    case 'array':
      if (!Array.isArray(value)) return refuse();
      if (value.length < (schema.minItems ?? 0) || value.length > (schema.maxItems ?? 2000))
        return refuse();
      value.forEach((item, index) => {
        if (schema.items) checkShape(schema.items, item, pointer + toPointerStep(index), report);
      });
      return;
    case 'integer':
      if (
        !Number.isInteger(value) ||
        Number(value) < (schema.minimum ?? 0) ||
        Number(value) > (schema.maximum ?? 2 ** 53)
      )
        refuse();
      return;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : refuse();
    default:
      return checkText(schema, value, pointer, report);
  }
}
