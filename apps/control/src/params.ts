// SPDX-License-Identifier: Apache-2.0
// Reads what stands in a path, a query or a header; all of it is attacker-controlled text.
import type { FastifyRequest } from 'fastify';
import { ControlError } from './errors.ts';

function readFrom(source: unknown, key: string): string | undefined {
  if (typeof source !== 'object' || source === null || !Object.hasOwn(source, key))
    return undefined;
  const value: unknown = Reflect.get(source, key);
  return typeof value === 'string' ? value : undefined;
}

/** A part of the path. @throws {ControlError} `CONTROL_INPUT_INVALID` */
export function readParam(request: FastifyRequest, name: string): string {
  const value = readFrom(request.params, name);
  if (value !== undefined) return value;
  throw new ControlError('CONTROL_INPUT_INVALID', `\`${name}\` is missing in the path`);
}

/** A text of the query; absent is `undefined`, twice is an error. */
export function findQuery(request: FastifyRequest, name: string): string | undefined {
  const { query } = request;
  if (typeof query !== 'object' || query === null || !Object.hasOwn(query, name)) return undefined;
  const value = readFrom(query, name);
  if (value !== undefined) return value;
  throw new ControlError('CONTROL_INPUT_INVALID', `\`${name}\` is given more than once`);
}

/** A whole number of the query. @throws {ControlError} `CONTROL_INPUT_INVALID` */
export function readCount(
  request: FastifyRequest,
  name: string,
  options: { readonly fallback: number; readonly max: number },
): number {
  const text = findQuery(request, name);
  if (text === undefined) return options.fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value) && value <= options.max) return value;
  throw new ControlError('CONTROL_INPUT_INVALID', `\`${name}\` is not a count in its bounds`);
}
