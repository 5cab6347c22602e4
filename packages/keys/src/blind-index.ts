// SPDX-License-Identifier: Apache-2.0
// Blind indexes: a keyed hash of a value's normal form, for exact search over sealed values. It shows
// equality and frequency to whoever reads the database; a field with few values must not have one, which
// the collection's schema refuses, not this file.
import type { KeyObject } from 'node:crypto';
import { createHmac } from 'node:crypto';
import { assertNever } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';
import { INDEXED_VALUE_LENGTH_MAX } from './limits.ts';

/** Normal forms, each at version 1. A changed form gets a new version; the old one stays as it is. */
export const NORMAL_FORMS = ['email', 'phone', 'text', 'exact'] as const;
export type NormalForm = (typeof NORMAL_FORMS)[number];

/** Version of all normal forms and of the index's layout; part of what is hashed. */
export const NORMAL_FORM_VERSION = 1;
/** Size of an index, in bytes: HMAC-SHA-256 cut to 128 bits, so values collide in 2^-64 at best. */
export const BLIND_INDEX_SIZE_BYTES = 16;

const DOMAIN = `bailiwick/blind-index/v${NORMAL_FORM_VERSION}\0`;
const PHONE_NOISE = /[\s().\-/\u2010-\u2015\u00a0]/gu;
const WHITE_SPACE = /\s+/gu;

function refuse(expected: string): never {
  throw new KeysError('KEYS_VALUE_UNINDEXABLE', `value has no normal form: expected ${expected}`);
}

/**
 * The form of a value in which two spellings of one thing are equal.
 *
 * `email`: NFKC, trimmed, lower case; needs one `@` with something around it (no provider's own rules:
 * dots and plus tags stay). `phone`: separators out, leading `00` read as `+`; digits only behind that
 * (a national number is not completed: give it in one spelling). `text`: NFKC, white space to single
 * spaces, lower case. `exact`: as it is.
 *
 * @throws {KeysError} `KEYS_VALUE_UNINDEXABLE`
 */
export function toNormalForm(form: NormalForm, value: string): string {
  if (value.length > INDEXED_VALUE_LENGTH_MAX || !value.isWellFormed()) {
    refuse(`at most ${INDEXED_VALUE_LENGTH_MAX} characters of well-formed Unicode`);
  }
  switch (form) {
    case 'email': {
      const text = value.normalize('NFKC').trim().toLowerCase();
      const parts = text.split('@');
      if (parts.length !== 2 || parts[0] === '' || parts[1] === '' || /\s/u.test(text)) {
        refuse('an address with one `@`');
      }
      return text;
    }
    case 'phone': {
      const text = value.normalize('NFKC').replace(PHONE_NOISE, '').replace(/^00/, '+');
      return /^\+?[0-9]{3,20}$/.test(text) ? text : refuse('a number of 3 to 20 digits');
    }
    case 'text': {
      const text = value.normalize('NFKC').replace(WHITE_SPACE, ' ').trim().toLowerCase();
      return text === '' ? refuse('some text') : text;
    }
    case 'exact':
      return value === '' ? refuse('a value') : value;
    default:
      return assertNever(form);
  }
}

/**
 * The blind index of a value: 16 bytes of HMAC-SHA-256 under a key of one tenant, collection, field and
 * version.
 *
 * @throws {KeysError} `KEYS_VALUE_UNINDEXABLE`
 */
export function blindIndex(key: KeyObject, normalForm: NormalForm, value: string): Buffer {
  const mac = createHmac('sha256', key)
    .update(`${DOMAIN}${normalForm}\0`)
    .update(toNormalForm(normalForm, value), 'utf8')
    .digest();
  return mac.subarray(0, BLIND_INDEX_SIZE_BYTES);
}
