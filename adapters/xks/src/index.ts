// SPDX-License-Identifier: Apache-2.0
export { type ProxyTlsOptions, toPin } from './connector.ts';
export {
  AAD_SIZE_BYTES_MAX,
  ACCESS_KEY_ID,
  API_PATH,
  BODY_SIZE_BYTES_MAX,
  CIPHERTEXT_METADATA_SIZE_BYTES_MAX,
  EXTERNAL_KEY_ID,
  IV_SIZES_BYTES,
  OCCASION_HEADER,
  PLAINTEXT_SIZE_BYTES_MAX,
  SECRET_ACCESS_KEY,
  TAG_SIZE_BYTES,
  toIntegrityValue,
  URI_PATH_PREFIX,
  XKS_ERRORS,
  XKS_TIMEOUT_MS,
  type XksErrorName,
} from './protocol.ts';
export {
  CLOCK_SKEW_MS_MAX,
  type SignedRequest,
  type SigningCredential,
  signRequest,
  toAmzDate,
  type VerifiedSignature,
  verifyRequest,
  XKS_SERVICE,
} from './sigv4.ts';
export { openXksProvider, toKeysFailure, type XksOptions, type XksProvider } from './xks-keys.ts';
