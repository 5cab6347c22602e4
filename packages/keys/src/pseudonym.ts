// SPDX-License-Identifier: Apache-2.0
// Keyed pseudonyms of one transfer: the same value has the same pseudonym within it and another one in any
// other, so that two copies cannot be joined. The key is derived from the tenant's id key and never leaves:
// it is the additional information of GDPR Art. 4(5), kept apart. Whoever holds it can confirm a guess.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { toUuidText } from '@bailiwick/kernel';

const KEY_DOMAIN = 'bailiwick/transfer-pseudonym/v1\0';
const ID_DOMAIN = 'bailiwick/pseudonym-id/v1\0';
const VALUE_DOMAIN = 'bailiwick/pseudonym-value/v1\0';
const VALUE_SIZE_BYTES = 16;

/** Characters of a pseudonym of a value. */
export const PSEUDONYM_LENGTH = 34;

/** Makes the pseudonyms of one transfer. */
export interface Pseudonymiser {
  /** A UUID in an id's place; `kind` keeps ids of records and of people apart. */
  id(kind: 'record' | 'subject', id: string): string;
  /** A text in a value's place. */
  value(field: string, value: string): string;
}

/** Makes pseudonyms under a key of this transfer alone. */
export function createPseudonymiser(idKey: KeyObject, transferId: string): Pseudonymiser {
  const bytes = createHmac('sha256', idKey).update(`${KEY_DOMAIN}${transferId}`).digest();
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return {
    id(kind, id) {
      const mac = createHmac('sha256', key).update(`${ID_DOMAIN}${kind}\0${id}`).digest('hex');
      return toUuidText(mac, 8);
    },
    value(field, value) {
      // A field's name holds no zero byte, so it ends unambiguously.
      const mac = createHmac('sha256', key).update(`${VALUE_DOMAIN}${field}\0${value}`).digest();
      return `p-${mac.subarray(0, VALUE_SIZE_BYTES).toString('hex')}`;
    },
  };
}
