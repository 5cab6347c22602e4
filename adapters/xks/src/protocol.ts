// SPDX-License-Identifier: Apache-2.0
// Names, bounds and bytes of the AWS KMS External Key Store proxy API, version 1.0.3 (May 15, 2024):
// github.com/aws/aws-kms-xksproxy-api-spec.
import { createHash } from 'node:crypto';

/** Error names and their HTTP status (specification, "Error codes"). */
export const XKS_ERRORS = {
  ValidationException: 400,
  InvalidStateException: 400,
  InvalidCiphertextException: 400,
  InvalidKeyUsageException: 400,
  AuthenticationFailedException: 401,
  AccessDeniedException: 403,
  KeyNotFoundException: 404,
  InvalidUriPathException: 404,
  ThrottlingException: 429,
  UnsupportedOperationException: 501,
  DependencyTimeoutException: 503,
  InternalException: 500,
} as const;
export type XksErrorName = keyof typeof XKS_ERRORS;

export const isXksErrorName = (name: unknown): name is XksErrorName =>
  typeof name === 'string' && Object.hasOwn(XKS_ERRORS, name);

export const PLAINTEXT_SIZE_BYTES_MAX = 4300;
export const AAD_SIZE_BYTES_MAX = 8192;
export const CIPHERTEXT_METADATA_SIZE_BYTES_MAX = 20;
export const TAG_SIZE_BYTES = 16;
export const IV_SIZES_BYTES: readonly number[] = [12, 16];
/** AWS KMS gives a proxy 250 ms. */
export const XKS_TIMEOUT_MS = 250;
/** Bodies hold 4,300 bytes of text, 8,192 of additional data and several ARNs of 2,048 characters. */
export const BODY_SIZE_BYTES_MAX = 65_536;
/** Parts of the path. */
export const EXTERNAL_KEY_ID: RegExp = /^[A-Za-z0-9._-]{1,128}$/;
export const URI_PATH_PREFIX: RegExp = /^(?:\/[A-Za-z0-9/_-]{1,115})?$/;
export const ACCESS_KEY_ID: RegExp = /^[A-Z2-7]{20,30}$/;
export const SECRET_ACCESS_KEY: RegExp = /^[A-Za-z0-9/+=]{43,64}$/;
export const API_PATH = '/kms/xks/v1';
/** Our own signed header: who asks and what for. */
export const OCCASION_HEADER = 'x-bailiwick-occasion';

/** The integrity value of a ciphertext (specification, Appendix C). */
export function toIntegrityValue(parts: {
  readonly authenticatedData: Uint8Array;
  readonly metadata: Uint8Array;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}): Buffer {
  const { authenticatedData, metadata, iv, ciphertext, tag } = parts;
  const hash = createHash('sha256').update(authenticatedData).update(metadata);
  return hash.update(iv).update(ciphertext).update(tag).digest();
}
