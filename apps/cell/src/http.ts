// SPDX-License-Identifier: Apache-2.0
// What every route of the public listener may rely on, and what it may say about itself. The server
// (`server.ts`) enforces all of it before a handler runs; a route that says nothing gets the strictest.
import type {} from '@fastify/swagger';
import type {} from 'fastify';
import type { Credential } from './services.ts';

/** What a route says about itself in Fastify's `config`. Absent means the strictest. */
export interface RouteTraits {
  /** `open`: no credential is needed (tokens, health, checkpoints, tiles). Default `tenant`. */
  readonly access?: 'tenant' | 'open';
  /**
   * Who keeps the promise of `Idempotency-Key` on a POST. `stored` (default): the server stores the
   * answer durably, so it must hold no personal value. `own`: the route repeats safely by itself.
   * `none`: the POST has no effect that must not be repeated (searches, batch doors).
   */
  readonly idempotency?: 'stored' | 'own' | 'none';
  /**
   * True (default) when the answer can hold plaintext of the tenant: the lease is checked directly
   * before and after each write to the socket (invariant 8). False where an answer must also be had
   * while the customer's key is disabled.
   */
  readonly carriesPlaintext?: boolean;
  /** Longest time until an answer, in milliseconds. Default: the server's own limit. */
  readonly requestMsMax?: number;
  /** Which work is let in first when the cell is full. Default `interactive`. */
  readonly priority?: 'interactive' | 'bulk';
}

declare module 'fastify' {
  interface FastifyContextConfig extends RouteTraits {}
  interface FastifyRequest {
    /** Who asks. On routes of access `tenant` it is always there; elsewhere reading it throws a 401. */
    get credential(): Credential;
    /** The purpose header as the caller stated it; `enforcement.purposeOf` judges it. */
    get statedPurpose(): string | undefined;
    /** Monotonic instant (ms) after which an answer is of no use; waits must end by then. */
    deadlineMs: number;
  }
}
