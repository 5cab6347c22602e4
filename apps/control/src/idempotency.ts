// SPDX-License-Identifier: Apache-2.0
// `Idempotency-Key`: the same request again gets the same answer, in the same transaction as its effect.
// Keys and bodies are kept as hashes; answers hold opaque ids only.
import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { ControlError } from './errors.ts';
import { ANSWER_KEEP_HOURS } from './limits.ts';
import type { ControlServices, Transaction } from './services.ts';

const KEY = /^[\x21-\x7e]{8,128}$/;

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const sha256 = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex');

/**
 * Runs `work` once for a key of a caller; a repetition gets the stored answer.
 *
 * @throws {ControlError} `CONTROL_IDEMPOTENCY_KEY_MISSING`, `CONTROL_IDEMPOTENCY_KEY_REUSED`
 */
export async function answerOnce(
  services: ControlServices,
  request: FastifyRequest,
  caller: string,
  work: (tx: Transaction) => Promise<Answer>,
): Promise<Answer> {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || !KEY.test(key)) {
    throw new ControlError(
      'CONTROL_IDEMPOTENCY_KEY_MISSING',
      'expected a header `Idempotency-Key` of 8 to 128 visible characters',
    );
  }
  const requestKey = sha256('request', caller, request.method, request.url, key);
  const bodyHash = sha256('body', JSON.stringify(request.body ?? null));
  return await services.database.withTransaction(async (tx) => {
    // Two requests with one key wait for each other.
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [requestKey]);
    const known = await tx.query<{ body_hash: string; status: number; body: Answer['body'] }>(
      'SELECT body_hash, status, body FROM control.answers WHERE request_key = $1',
      [requestKey],
    );
    const [before] = known.rows;
    if (before !== undefined) {
      if (before.body_hash === bodyHash) return { status: before.status, body: before.body };
      throw new ControlError('CONTROL_IDEMPOTENCY_KEY_REUSED', 'the body differs from the first');
    }
    const answer = await work(tx);
    await tx.query(
      `DELETE FROM control.answers WHERE answered_at < now() - $1 * interval '1 hour'`,
      [ANSWER_KEEP_HOURS],
    );
    await tx.query(
      'INSERT INTO control.answers (request_key, body_hash, status, body) VALUES ($1, $2, $3, $4)',
      [requestKey, bodyHash, answer.status, JSON.stringify(answer.body)],
    );
    return answer;
  });
}
