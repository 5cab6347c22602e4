// SPDX-License-Identifier: Apache-2.0
// What concerns people's rights in a cell. Ids of people go in bodies, never in a path.
import type {
  ConsentRequest,
  HoldAnswer,
  HoldRequest,
  ObjectionRequest,
  OrderAnswer,
  OrderRequest,
  RestrictionRequest,
  StandingAnswer,
  StandingChangeAnswer,
  SubjectEventRequest,
} from '@bailiwick/contracts';
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';

type Items<T> = { readonly items: readonly T[] };

/** What holds of people beside the labels of their data. */
export interface Rights {
  /** Records what a person has said about a purpose; in force from the next decision on. */
  consent(consent: ConsentRequest, options?: CallOptions): Promise<Answer<StandingChangeAnswer>>;
  object(objection: ObjectionRequest, options?: CallOptions): Promise<Answer<StandingChangeAnswer>>;
  restrict(
    restriction: RestrictionRequest,
    options?: CallOptions,
  ): Promise<Answer<StandingChangeAnswer>>;
  /** An event from which retention counts. */
  event(event: SubjectEventRequest, options?: CallOptions): Promise<Answer<StandingChangeAnswer>>;
  /** What holds of a person, by the caller's own id, with its history. */
  show(subject: string, options?: CallOptions): Promise<Answer<StandingAnswer>>;
  readonly holds: {
    place(hold: HoldRequest, options?: CallOptions): Promise<Answer<HoldAnswer>>;
    list(options?: CallOptions): Promise<Answer<Items<HoldAnswer>>>;
    release(holdId: string, options?: CallOptions): Promise<Answer<HoldAnswer>>;
  };
  readonly orders: {
    place(order: OrderRequest, options?: CallOptions): Promise<Answer<OrderAnswer>>;
    list(options?: CallOptions): Promise<Answer<Items<OrderAnswer>>>;
    revoke(orderId: string, options?: CallOptions): Promise<Answer<OrderAnswer>>;
  };
}

/** Puts the routes over a caller. */
export function createRights(call: Caller): Rights {
  const post = <T>(path: string, body: unknown, options?: CallOptions): Promise<Answer<T>> =>
    call({ method: 'POST', path, body }, options);
  const of = (noun: string, id: string, action: string): string =>
    `/v1/${noun}/${encodeURIComponent(id)}/${action}`;
  return {
    consent: (body, options) => post('/v1/consents', body, options),
    object: (body, options) => post('/v1/objections', body, options),
    restrict: (body, options) => post('/v1/restrictions', body, options),
    event: (body, options) => post('/v1/subject-events', body, options),
    show: (subject, options) => post('/v1/standings/searches', { subject }, options),
    holds: {
      place: (body, options) => post('/v1/holds', body, options),
      list: (options) => call({ method: 'GET', path: '/v1/holds' }, options),
      release: (holdId, options) => post(of('holds', holdId, 'releases'), {}, options),
    },
    orders: {
      place: (body, options) => post('/v1/orders', body, options),
      list: (options) => call({ method: 'GET', path: '/v1/orders' }, options),
      revoke: (orderId, options) => post(of('orders', orderId, 'revocations'), {}, options),
    },
  };
}
