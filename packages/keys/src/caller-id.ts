// SPDX-License-Identifier: Apache-2.0
// Ids chosen by callers may be e-mail addresses or numbers of people: they are stored as keyed hashes
// only (invariant 7). The id key is a tenant's own, so the same person has other ids at another tenant.
import type { KeyObject } from 'node:crypto';
import { createHmac } from 'node:crypto';
import type { CollectionId, RecordId, SubjectId } from '@bailiwick/kernel';
import { parseRecordId, parseSubjectId, toUuidText } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';
import { CALLER_ID_LENGTH_MAX } from './limits.ts';

const RECORD_DOMAIN = 'bailiwick/record-id/v1\0';
const SUBJECT_DOMAIN = 'bailiwick/subject-id/v1\0';

function deriveUuid(idKey: KeyObject, domain: string, callerId: string): string {
  if (callerId.length < 1 || callerId.length > CALLER_ID_LENGTH_MAX || !callerId.isWellFormed()) {
    throw new KeysError(
      'KEYS_CALLER_ID_INVALID',
      `expected an id of 1 to ${CALLER_ID_LENGTH_MAX} characters of well-formed Unicode`,
    );
  }
  const mac = createHmac('sha256', idKey).update(`${domain}${callerId}`, 'utf8').digest('hex');
  return toUuidText(mac, 8);
}

/**
 * The record id for a caller's own id within a collection: UUIDv8 of HMAC-SHA-256. The id is taken
 * exactly as it is, without normalising.
 *
 * @throws {KeysError} `KEYS_CALLER_ID_INVALID`
 */
export function deriveRecordId(
  idKey: KeyObject,
  collectionId: CollectionId,
  callerId: string,
): RecordId {
  // A collection id is a kebab-case name, so the zero byte ends it unambiguously.
  return parseRecordId(deriveUuid(idKey, `${RECORD_DOMAIN}${collectionId}\0`, callerId));
}

/**
 * The subject id for a caller's own id of a person: the same in all of a tenant's collections.
 *
 * @throws {KeysError} `KEYS_CALLER_ID_INVALID`
 */
export function deriveSubjectId(idKey: KeyObject, callerId: string): SubjectId {
  return parseSubjectId(deriveUuid(idKey, SUBJECT_DOMAIN, callerId));
}
