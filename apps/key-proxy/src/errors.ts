// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. On the wire the proxy speaks the names of the XKS protocol instead. */
export type KeyProxyErrorCode =
  /** The configuration cannot be read or does not fit its schema. */
  | 'KEY_PROXY_CONFIG_INVALID'
  /** A file of credentials cannot be read, is open to others, or holds something else. */
  | 'KEY_PROXY_CREDENTIALS_INVALID'
  /** What should be made is there already. */
  | 'KEY_PROXY_EXISTS';

/** A failure of this room. */
export class KeyProxyError extends CodedError<KeyProxyErrorCode> {}
