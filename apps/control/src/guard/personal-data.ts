// SPDX-License-Identifier: Apache-2.0
// The detector: finds what looks like personal data in something sent to the middle (invariant 6). It
// stands behind closed schemas, not in their place; what it finds it names by place and kind, never by
// value.

/** What a text looks like. */
export const PERSONAL_KINDS = [
  'e-mail',
  'phone',
  'iban',
  'payment-card',
  'network-address',
  'person-id',
  'random-id',
  'free-text',
] as const;
export type PersonalKind = (typeof PERSONAL_KINDS)[number];

/** A finding: where (JSON pointer) and what it looks like. */
export interface PersonalFinding {
  readonly pointer: string;
  readonly kind: PersonalKind;
}

/**
 * `closed`: nothing but short words, codes and numbers is expected: everything else is a finding.
 * `prose`: law and contract in words: only what certainly is about somebody is a finding.
 */
export type GuardProfile = 'closed' | 'prose';

const EMAIL = /[^\s@<>()"',;:]+\s?(?:@|\(at\)|\[at\]|%40)\s?[^\s@<>()"',;:]+\.[a-z]{2,}/i;
const PHONE_INTERNATIONAL = /(?:\+|\b00)[1-9](?:[\s().-]{0,3}\d){7,14}(?!\d)/;
const IBAN = /\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){3,7}(?:\s?[A-Z0-9]{1,3})?\b/;
const DIGITS =
  /(?<!\d)(?:\d{13,19}|\d{4}(?:[ -]\d{4}){3}(?:[ -]\d{1,3})?|\d{4}[ -]\d{6}[ -]\d{5})(?!\d)/g;
const IP_V4 = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])/;
const UUID = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/i;
const WORD = /^[A-Za-z0-9][A-Za-z0-9.:/_-]*$/;
const DATE_LIKE = /^\d{4}(?:-\d{2}(?:-\d{2}(?:T[\d:.]+Z)?)?)?$/;
const RANDOM_LENGTH_MIN = 16;
/** Bits a character; English words lie near 3, base64 of random bytes above 4. */
const RANDOM_BITS_MIN = 3.4;
const DEPTH_MAX = 16;

/** The check digit of payment cards (ISO/IEC 7812-1 annex B). */
function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

function bitsPerCharacter(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) {
    const share = count / text.length;
    bits -= share * Math.log2(share);
  }
  return bits;
}

function isPaymentCard(text: string): boolean {
  return [...text.matchAll(DIGITS)].some(([found]) => isLuhn(found.replaceAll(/[ -]/g, '')));
}

/** Random-looking ids join things that should stay apart; no word of a law looks like one. */
function isRandom(text: string): boolean {
  return text
    .split(/[^A-Za-z0-9+/=_]+/)
    .some(
      (part) =>
        part.length >= RANDOM_LENGTH_MIN &&
        /\d/.test(part) &&
        bitsPerCharacter(part) >= RANDOM_BITS_MIN,
    );
}

/** What a text looks like, if it looks like anything personal. */
export function findPersonalKind(text: string, profile: GuardProfile): PersonalKind | undefined {
  if (EMAIL.test(text)) return 'e-mail';
  if (IBAN.test(text)) return 'iban';
  if (PHONE_INTERNATIONAL.test(text)) return 'phone';
  if (isPaymentCard(text)) return 'payment-card';
  if (profile === 'prose') return undefined;
  if (UUID.test(text)) return 'person-id';
  if (IP_V4.test(text)) return 'network-address';
  if (DATE_LIKE.test(text)) return undefined;
  if (/\d{5,}/.test(text)) return 'person-id';
  if (isRandom(text)) return 'random-id';
  // Names, addresses, remarks: anything with blanks, capitals in the middle, or letters beyond ASCII.
  if (!WORD.test(text) || /^[A-Z][a-z]/.test(text)) return 'free-text';
  return undefined;
}

/**
 * Walks a value and finds what looks personal, keys included.
 *
 * `except` names pointers (exact) of opaque ids that belong there, such as `/tenantId`.
 */
export function findPersonalData(
  value: unknown,
  options: { readonly profile: GuardProfile; readonly except?: readonly string[] },
): readonly PersonalFinding[] {
  const { profile, except = [] } = options;
  const findings: PersonalFinding[] = [];
  const look = (text: string, pointer: string): void => {
    if (except.includes(pointer)) return;
    const kind = findPersonalKind(text, profile);
    if (kind !== undefined) findings.push({ pointer, kind });
  };
  const walk = (at: unknown, pointer: string, depth: number): void => {
    if (depth > DEPTH_MAX) findings.push({ pointer, kind: 'free-text' });
    else if (typeof at === 'string') look(at, pointer);
    else if (Array.isArray(at)) {
      for (const [index, one] of at.entries()) walk(one, `${pointer}/${index}`, depth + 1);
    } else if (typeof at === 'object' && at !== null) {
      for (const [index, [key, one]] of Object.entries(at).entries()) {
        // A key that is personal itself must not come back in the pointer.
        const kind = findPersonalKind(key, 'prose');
        if (kind !== undefined) findings.push({ pointer: `${pointer}/#${index}`, kind });
        else walk(one, `${pointer}/${key}`, depth + 1);
      }
    }
  };
  walk(value, '', 0);
  return findings;
}
