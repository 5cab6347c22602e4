// SPDX-License-Identifier: Apache-2.0
// One way to read bytes that must match a schema. Problems name places and expectations, never values:
// a value may be personal.
import { CodedError } from '@bailiwick/kernel';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';

/** A value does not match its schema. */
export class ContractError extends CodedError<'CONTRACT_VALUE_INVALID'> {}

/** A value's problem: where (JSON pointer) and what was expected there. */
export interface ValueProblem {
  readonly pointer: string;
  readonly detail: string;
}

interface Checker {
  Check(value: unknown): boolean;
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[];
}

const checkers = new WeakMap<TSchema, Checker>();
const decoder = new TextDecoder('utf-8', { fatal: true });
const PROBLEMS_COUNT_MAX = 8;

function checkerOf(schema: TSchema): Checker {
  const known = checkers.get(schema);
  if (known !== undefined) return known;
  const compiled: Checker = Compile(schema);
  checkers.set(schema, compiled);
  return compiled;
}

/** The problems of a value under a schema, at most eight; none when it matches. */
export function findProblems(schema: TSchema, value: unknown): readonly ValueProblem[] {
  const checker = checkerOf(schema);
  if (checker.Check(value)) return [];
  const problems = [...checker.Errors(value)].slice(0, PROBLEMS_COUNT_MAX);
  return problems.map(({ instancePath, message }) => ({ pointer: instancePath, detail: message }));
}

/**
 * Checks a value against a schema and gives it back.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`, with the first problem's place in the message.
 */
export function checkWith(schema: TSchema, value: unknown, what: string): unknown {
  const [first] = findProblems(schema, value);
  if (first === undefined) return value;
  throw new ContractError(
    'CONTRACT_VALUE_INVALID',
    `not a valid ${what}: at \`${first.pointer}\`: ${first.detail}`,
    { details: { pointer: first.pointer } },
  );
}

/**
 * Reads UTF-8 JSON that must match a schema.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`
 */
export function parseWith(schema: TSchema, bytes: Uint8Array, what: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    // SECURITY: the parser's own message quotes the input; it must not travel on.
    throw new ContractError('CONTRACT_VALUE_INVALID', `not a valid ${what}: expected UTF-8 JSON`);
  }
  return checkWith(schema, value, what);
}
