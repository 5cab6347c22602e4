// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type PkiErrorCode =
  | 'PKI_SPIFFE_ID_INVALID'
  | 'PKI_AUTHORITY_EXISTS'
  | 'PKI_AUTHORITY_ABSENT'
  | 'PKI_IDENTITY_UNREADABLE'
  | 'PKI_KEY_EXPOSED'
  | 'PKI_CERTIFICATE_INVALID'
  | 'PKI_PEER_REFUSED';

/** A failure to make, to read or to accept an identity. */
export class PkiError extends CodedError<PkiErrorCode> {}
