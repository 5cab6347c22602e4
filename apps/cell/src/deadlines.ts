// SPDX-License-Identifier: Apache-2.0
// Ends requests that have had their time, with one timer for all of them: a timer and an abort signal for
// each cost more than reading a record.
import type { Clock } from '@bailiwick/kernel';
import type { FastifyReply } from 'fastify';
import { CellError } from './errors.ts';

/** How far past its limit a request can be when it is ended. */
const TICK_MS = 50;

export interface Deadlines {
  /** Answers for the handler once `dueMs` (monotonic) has passed without an answer. */
  watch(reply: FastifyReply, dueMs: number): void;
  /** The reply is done with. */
  forget(reply: FastifyReply): void;
  close(): void;
}

/** Makes the deadlines of one server. */
export function createDeadlines(clock: Clock): Deadlines {
  const watched = new Map<FastifyReply, number>();
  const timer = setInterval(() => {
    const nowMs = clock.monotonicMs();
    for (const [reply, dueMs] of watched) {
      if (reply.sent || reply.raw.closed) watched.delete(reply);
      else if (nowMs >= dueMs) {
        watched.delete(reply);
        end(reply);
      }
    }
  }, TICK_MS);
  timer.unref();
  return {
    watch(reply, dueMs) {
      watched.set(reply, dueMs);
    },
    forget(reply) {
      watched.delete(reply);
    },
    close() {
      clearInterval(timer);
      watched.clear();
    },
  };
}

function end(reply: FastifyReply): void {
  const problem = new CellError('CELL_DEADLINE_EXCEEDED', 'no answer was ready in time');
  // What has begun to go out cannot become a problem any more: it is cut off.
  if (reply.raw.headersSent) reply.raw.destroy(problem);
  else reply.send(problem);
}
