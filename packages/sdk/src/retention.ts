// SPDX-License-Identifier: Apache-2.0
// How long data is kept in a cell, and runs that remove what has served its time.
import type { RetentionRun, RetentionRunRequest, RetentionTermAnswer } from '@bailiwick/contracts';
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';

/** Retention in one cell. */
export interface Retention {
  /** The term of each field set, by where the data is from. */
  terms(options?: CallOptions): Promise<Answer<{ readonly items: readonly RetentionTermAnswer[] }>>;
  /** Accepts a run; it goes on by itself. */
  run(request: RetentionRunRequest, options?: CallOptions): Promise<Answer<RetentionRun>>;
  get(runId: string, options?: CallOptions): Promise<Answer<RetentionRun>>;
  list(options?: CallOptions): Promise<Answer<{ readonly items: readonly RetentionRun[] }>>;
}

/** Puts the routes over a caller. */
export function createRetention(call: Caller): Retention {
  const runs = '/v1/retention-runs';
  return {
    terms: (options) => call({ method: 'GET', path: '/v1/retention-terms' }, options),
    run: (body, options) => call({ method: 'POST', path: runs, body }, options),
    get: (runId, options) =>
      call({ method: 'GET', path: `${runs}/${encodeURIComponent(runId)}` }, options),
    list: (options) => call({ method: 'GET', path: runs }, options),
  };
}
