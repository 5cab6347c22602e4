// SPDX-License-Identifier: Apache-2.0
// This room's failures. Messages never tell more of a secret or a value than that it did not fit.
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type KeysErrorCode =
  /** The envelope does not open under this key and this authenticated data; why is not told. */
  | 'KEYS_ENVELOPE_UNOPENED'
  /** Not a sealed value of a known format. */
  | 'KEYS_VALUE_MALFORMED'
  /** The seal is not the one that the caller expected. */
  | 'KEYS_SEAL_MISMATCH'
  /** The value has no normal form, so it cannot be indexed. */
  | 'KEYS_VALUE_UNINDEXABLE'
  /** An id chosen by a caller is empty, too long or not well-formed Unicode. */
  | 'KEYS_CALLER_ID_INVALID'
  /** The facts do not verify (invariant 2: a deny). */
  | 'KEYS_FACTS_UNVERIFIED'
  /** A statement's signature does not verify. */
  | 'KEYS_STATEMENT_UNVERIFIED'
  /** The provider does not know this customer key. */
  | 'KEYS_CUSTOMER_KEY_UNKNOWN'
  /** The customer key is disabled, here or at the provider. */
  | 'KEYS_CUSTOMER_KEY_DISABLED'
  /** The customer key's provider did not answer in time or answered nonsense. */
  | 'KEYS_PROVIDER_UNAVAILABLE'
  /** The provider's own storage is not as it must be: absent, readable by others, cut short. */
  | 'KEYS_PROVIDER_MISCONFIGURED'
  /** A replica of the erasable store is absent, mixed up or not initialised. */
  | 'KEYS_ERASABLE_STORE_MISCONFIGURED'
  /** A replica of the erasable store failed to do what was asked. */
  | 'KEYS_ERASABLE_STORE_FAILED'
  /** No lease of the key service: nothing may be used until one is renewed. */
  | 'KEYS_LEASE_EXPIRED'
  /** The tenant has no keys in this cell. */
  | 'KEYS_TENANT_UNKNOWN'
  /** The tenant has keys in this cell already, and they are others. */
  /** No such key of this tenant. */
  | 'KEYS_KEY_UNKNOWN'
  /** The key was erased, for ever. */
  | 'KEYS_KEY_ERASED'
  /** Something is still wrapped under the key. */
  | 'KEYS_KEY_IN_USE'
  /** The key was disabled for good. */
  | 'KEYS_KEY_FINAL'
  /** Another rotation of the tenant is under way. */
  | 'KEYS_ROTATION_RUNNING'
  /** No such request of this tenant. */
  | 'KEYS_REQUEST_UNKNOWN'
  /** The request has expired, was cancelled or is done. */
  | 'KEYS_REQUEST_CLOSED'
  /** The request needs two people who sign for it, and this is not one. */
  | 'KEYS_APPROVAL_REFUSED'
  /** A share of a key is damaged, of another set, there twice, or there are too few. */
  | 'KEYS_SHARE_INVALID'
  /** The key's wrap does not open. */
  | 'KEYS_KEY_UNREADABLE'
  /** The shred key was retired by an erasure: read its subjects' wraps again. */
  | 'KEYS_SHRED_KEY_RETIRED'
  /** The key service did not answer in time. */
  | 'KEYS_SERVICE_UNAVAILABLE'
  /** The key service refused: not this process, not this generation, not this request. */
  | 'KEYS_SERVICE_REFUSED';

/** A failure of this room. */
export class KeysError extends CodedError<KeysErrorCode> {}

/** True for a failure of this room, whichever copy of it threw. */
export function isKeysCode(error: unknown): error is KeysError {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('KEYS_');
}
