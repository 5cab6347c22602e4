// SPDX-License-Identifier: Apache-2.0
// Bounded waits. A provider that hangs costs its caller the time agreed and not a moment more; what it
// answers too late is thrown away unseen.
import { KeysError } from '@bailiwick/keys';

/** Why a provider could not be had: in `details.reason` of `KEYS_PROVIDER_UNAVAILABLE`. */
export type UnavailableReason =
  /** No answer within the deadline. */
  | 'timeout'
  /** The provider asked for fewer questions. */
  | 'throttled'
  /** Too many questions are under way from here. */
  | 'busy'
  /** No connection, or it broke. */
  | 'unreachable'
  /** The provider failed, or gave what no provider gives. */
  | 'failed'
  /** The provider does not accept who asks. */
  | 'unauthenticated'
  /** What would be needed is not installed. */
  | 'absent';

/** The one failure for a provider that cannot be had now. */
export function unavailable(
  reason: UnavailableReason,
  options: { readonly cause?: unknown; readonly retryAfterMs?: number } = {},
): KeysError {
  const { cause, retryAfterMs } = options;
  return new KeysError('KEYS_PROVIDER_UNAVAILABLE', `provider cannot be had: ${reason}`, {
    details: { reason, retryAfterMs },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Runs `work` within `timeoutMs`. The signal is aborted at the deadline; `work` that ignores it is left
 * behind and its late result goes to `discard`.
 *
 * @throws {KeysError} `KEYS_PROVIDER_UNAVAILABLE` at the deadline
 */
export async function withDeadline<T>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<T>,
  discard: (late: T) => void = () => undefined,
): Promise<T> {
  const abort = new AbortController();
  let isLate = false;
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      const error = unavailable('timeout');
      reject(error);
      abort.abort(error);
    }, timeoutMs);
  });
  const working = work(abort.signal).then((value) => {
    if (isLate) discard(value);
    return value;
  });
  try {
    return await Promise.race([working, expired]);
  } finally {
    clearTimeout(timer);
    // The one who is not waited for may still fail: that failure has been told already.
    working.catch(() => undefined);
    expired.catch(() => undefined);
  }
}
