// SPDX-License-Identifier: Apache-2.0
// Reading what a command is given as a file: JSON or YAML, `-` for stdin. Personal values come this way
// and never as arguments, which everybody on the machine can read.
import { readFileSync } from 'node:fs';
import type { VariableValue, VariableValues } from '@bailiwick/charter';
import { parse } from 'yaml';
import { readText } from '../connect.ts';
import { CliError } from '../errors.ts';

/** Text of a file or of stdin. */
export function readInput(file: string, what: string): string {
  return file === '-' ? readFileSync(0, 'utf8') : readText(file, what);
}

/** A mapping out of a JSON or YAML file. @throws {CliError} `CLI_USAGE_WRONG` */
export function readMapping(file: string, what: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = parse(readInput(file, what), { maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('CLI_USAGE_WRONG', `${what} \`${file}\` is neither JSON nor YAML`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CliError('CLI_USAGE_WRONG', `${what} \`${file}\` is not a mapping`);
  }
  return { ...value };
}

/** The argument at `index`. Commander has checked that it is there. */
export function argument(args: readonly string[], index: number): string {
  const value = args[index];
  if (value === undefined) throw new CliError('CLI_USAGE_WRONG', 'an argument is missing');
  return value;
}

/** A list such as `eu-de,us-va`. */
export function toList(text: string): readonly string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

/** `--variables <file>` and `--set name=value`, the latter last. @throws {CliError} `CLI_USAGE_WRONG` */
export function readVariables(options: Readonly<Record<string, unknown>>): VariableValues {
  const { variables, set } = options;
  const values: Record<string, VariableValue> = {};
  if (variables !== undefined) {
    const given = readMapping(String(variables), 'the variables');
    for (const [name, value] of Object.entries(given)) values[name] = toVariable(name, value);
  }
  for (const text of Array.isArray(set) ? set : []) {
    const [, name, value] = /^([^=]+)=(.*)$/s.exec(String(text)) ?? [];
    if (name === undefined || value === undefined) {
      throw new CliError('CLI_USAGE_WRONG', '`--set` expects `name=value`');
    }
    values[name] = toVariable(name, parse(value, { maxAliasCount: 0 }));
  }
  return values;
}

function toVariable(name: string, value: unknown): VariableValue {
  if (typeof value === 'string' || Number.isInteger(value)) return value as VariableValue;
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw new CliError(
    'CLI_USAGE_WRONG',
    `the value of \`${name}\` is neither text, number nor list`,
  );
}
