// SPDX-License-Identifier: Apache-2.0
// Canonical JSON (RFC 8785): one text per value, so that it can be hashed and signed.
import { KernelError } from './errors.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json | undefined };

/** Deepest nesting accepted. */
export const JSON_DEPTH_MAX = 32;

/**
 * Writes a value in the one canonical form of RFC 8785: keys sorted by UTF-16 code units, no white space,
 * numbers as ECMAScript prints them. Properties that are `undefined` are left out.
 *
 * @throws {KernelError} `KERNEL_JSON_INVALID` for numbers that are not finite, lone surrogates, or depth.
 */
export function toCanonicalJson(value: Json, depth = 0): string {
  if (depth > JSON_DEPTH_MAX)
    throw new KernelError('KERNEL_JSON_INVALID', 'value is nested too deeply');
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value))
      throw new KernelError('KERNEL_JSON_INVALID', 'number is not finite');
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed())
      throw new KernelError('KERNEL_JSON_INVALID', 'text has a lone surrogate');
    return JSON.stringify(value);
  }
  if (isArray(value)) return `[${value.map((item) => toCanonicalJson(item, depth + 1)).join(',')}]`;
  const parts: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const item = value[key];
    if (item !== undefined)
      parts.push(`${toCanonicalJson(key)}:${toCanonicalJson(item, depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
