// SPDX-License-Identifier: Apache-2.0
// How the routes of a cell are called: by whoever holds the credentials.
import type { Answer } from './answer.ts';
import type { Call } from './transport.ts';

/** Options of any one call. */
export interface CallOptions {
  /** Purpose of this call, where it is not the account's default. */
  readonly purpose?: string;
  readonly deadlineMs?: number;
  /** Give the same key to repeat a call that an earlier process may have made. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
}

/** Sends one call with the account's credentials. */
export type Caller = <T>(
  call: Pick<Call, 'method' | 'path' | 'body' | 'contentType' | 'headers'>,
  options?: CallOptions,
) => Promise<Answer<T>>;
