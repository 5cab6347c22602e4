// SPDX-License-Identifier: Apache-2.0
// Failures as the protocol names them. Not `CodedError`s: they are answers to a caller, told by name.
import { isCoded } from '@bailiwick/kernel';
import { XKS_ERRORS, type XksErrorName } from '@bailiwick/xks';

/** An answer that is not 200. The message is printable ASCII under 512 characters and holds no value. */
export class XksFailure extends Error {
  readonly errorName: XksErrorName;
  readonly status: number;
  /** For the log only. */
  readonly reason: string | undefined;
  constructor(errorName: XksErrorName, message: string, reason?: string) {
    super(message);
    this.errorName = errorName;
    this.status = XKS_ERRORS[errorName];
    this.reason = reason;
  }
}

/** What a failure of the token's adapter is to a caller. */
export function toXksFailure(error: unknown): XksFailure {
  if (error instanceof XksFailure) return error;
  if (isCoded(error, 'KEYS_CUSTOMER_KEY_UNKNOWN')) {
    return new XksFailure('KeyNotFoundException', 'the key is not in the token');
  }
  if (isCoded(error, 'KEYS_CUSTOMER_KEY_DISABLED')) {
    return new XksFailure('InvalidStateException', 'the key is disabled');
  }
  if (isCoded(error, 'KEYS_KEY_UNREADABLE')) {
    return new XksFailure('InvalidCiphertextException', 'the ciphertext does not open');
  }
  if (isCoded(error, 'KEYS_PROVIDER_UNAVAILABLE')) {
    const { reason } = error.details;
    if (reason === 'timeout') {
      return new XksFailure('DependencyTimeoutException', 'the token did not answer in time');
    }
    return new XksFailure('InternalException', 'the token cannot be used now', String(reason));
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unnamed';
  return new XksFailure('InternalException', 'the proxy failed', code);
}
