// SPDX-License-Identifier: Apache-2.0
// Takes one Base64 field out of a JSON body before the rest is parsed, so that its value is never a
// string. All of the body is attacker-controlled; `JSON.parse` sees it afterwards and judges its form.
import { decodeBase64 } from './base64.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN = [0x7b, 0x5b];
const CLOSE = [0x7d, 0x5d];
const SPACES = [0x20, 0x09, 0x0a, 0x0d];
const LETTER_A = 0x41;

export type SecretField =
  | { readonly kind: 'absent' }
  /** There twice, not a string, or not Base64. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'found'; readonly bytes: Buffer };

function endOfString(body: Uint8Array, start: number): number {
  for (let at = start + 1; at < body.length; at += 1) {
    if (body[at] === BACKSLASH) at += 1;
    else if (body[at] === QUOTE) return at;
  }
  return body.length;
}

function skipSpaces(body: Uint8Array, start: number): number {
  let at = start;
  while (at < body.length && SPACES.includes(body[at] ?? 0)) at += 1;
  return at;
}

/** Finds the field's values on one level: [start, end) between its quotes. */
function findValues(
  body: Uint8Array,
  name: Buffer,
  level: number,
): readonly (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  let depth = 0;
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at] ?? 0;
    if (OPEN.includes(byte)) depth += 1;
    else if (CLOSE.includes(byte)) depth -= 1;
    if (byte !== QUOTE) continue;
    const end = endOfString(body, at);
    const isName = depth === level && name.equals(body.subarray(at + 1, end));
    const colon = skipSpaces(body, end + 1);
    at = end;
    if (!isName || body[colon] !== COLON) continue;
    const value = skipSpaces(body, colon + 1);
    const close = body[value] === QUOTE ? endOfString(body, value) : value;
    found.push([value + 1, close]);
    at = Math.max(close, colon);
  }
  return found;
}

/**
 * Takes the bytes of a field on that level of nesting (1 is the outermost) and overwrites its text in `body` with letters. A name written with escapes is
 * not found and so counts as absent.
 */
export function takeSecretField(
  body: Buffer,
  name: string,
  options: { readonly level?: number } = {},
): SecretField {
  const values = findValues(body, Buffer.from(name, 'latin1'), options.level ?? 1);
  const [value] = values;
  if (value === undefined) return { kind: 'absent' };
  const [start, end] = value;
  const bytes =
    values.length === 1 && end > start ? decodeBase64(body.subarray(start, end)) : undefined;
  for (const [from, to] of values) if (to > from) body.fill(LETTER_A, from, to);
  return bytes === undefined ? { kind: 'invalid' } : { kind: 'found', bytes };
}
