// SPDX-License-Identifier: Apache-2.0
// What people ask for under their rights, in one cell.
import type { AccessExport, RightsRequest, RightsRequestDraft } from '@bailiwick/contracts';
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import type { Fields } from './wire.ts';

/** Requests of people. */
export interface Requests {
  /** Writes a request down; its clock runs from now. */
  create(draft: RightsRequestDraft, options?: CallOptions): Promise<Answer<RightsRequest>>;
  get(requestId: string, options?: CallOptions): Promise<Answer<RightsRequest>>;
  /** Open ones first, the most urgent at the top. */
  list(options?: CallOptions): Promise<Answer<{ readonly items: readonly RightsRequest[] }>>;
  /** Somebody has made sure who asks. */
  verify(requestId: string, options?: CallOptions): Promise<Answer<RightsRequest>>;
  extend(requestId: string, options?: CallOptions): Promise<Answer<RightsRequest>>;
  refuse(
    requestId: string,
    refusal: { readonly ground: string; readonly reference?: string },
    options?: CallOptions,
  ): Promise<Answer<RightsRequest>>;
  /** Carries it out; what failed stands in the answer and is tried again. */
  execute(requestId: string, options?: CallOptions): Promise<Answer<RightsRequest>>;
  rectify(
    requestId: string,
    change: { readonly collection: string; readonly recordId: string; readonly fields: Fields },
    options?: CallOptions,
  ): Promise<Answer<RightsRequest>>;
  /** Everything the cell has about the person, as data. */
  export(requestId: string, options?: CallOptions): Promise<Answer<AccessExport>>;
  /** The same as Markdown, for people. */
  exportReadable(requestId: string, options?: CallOptions): Promise<Answer<string>>;
}

/** Puts the routes over a caller. */
export function createRequests(call: Caller): Requests {
  const of = (requestId: string, action = ''): string =>
    `/v1/requests/${encodeURIComponent(requestId)}${action}`;
  const post = <T>(path: string, body: unknown, options?: CallOptions): Promise<Answer<T>> =>
    call({ method: 'POST', path, body }, options);
  return {
    create: (draft, options) => post('/v1/requests', draft, options),
    get: (requestId, options) => call({ method: 'GET', path: of(requestId) }, options),
    list: (options) => call({ method: 'GET', path: '/v1/requests' }, options),
    verify: (requestId, options) => post(of(requestId, '/verifications'), {}, options),
    extend: (requestId, options) => post(of(requestId, '/extensions'), {}, options),
    refuse: (requestId, refusal, options) => post(of(requestId, '/refusals'), refusal, options),
    execute: (requestId, options) => post(of(requestId, '/executions'), {}, options),
    rectify: (requestId, change, options) =>
      post(of(requestId, '/rectifications'), change, options),
    export: (requestId, options) => post(of(requestId, '/exports'), { format: 'json' }, options),
    exportReadable: (requestId, options) =>
      post(of(requestId, '/exports'), { format: 'markdown' }, options),
  };
}
