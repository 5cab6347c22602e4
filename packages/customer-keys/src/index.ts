// SPDX-License-Identifier: Apache-2.0
export { encodeAeadCiphertext, parseAeadCiphertext } from './aead-ciphertext.ts';
export { decodeBase64, encodeBase64 } from './base64.ts';
export { BOUND_KEY_SIZE_BYTES, takeBoundKey, toBoundKey } from './bound-key.ts';
export { type UnavailableReason, unavailable, withDeadline } from './deadline.ts';
export { createDoubleProvider, type DoubleProviderParts } from './double-provider.ts';
export {
  CUSTOMER_WRAP_SIZE_BYTES_MAX,
  IN_FLIGHT_COUNT_MAX,
  PROVIDER_TIMEOUT_MS,
} from './limits.ts';
export {
  type AeadCiphertext,
  type AeadKeyState,
  type AeadKeys,
  type ContextQuestion,
  type ExternalKeys,
  type Occasion,
  type Question,
  toAeadData,
} from './ports.ts';
export {
  createProvider,
  disabledKey,
  type OccasionedProvider,
  type ProviderOptions,
  unknownKey,
  unreadableKey,
} from './provider.ts';
export { type SecretField, takeSecretField } from './secret-field.ts';
