// SPDX-License-Identifier: Apache-2.0
// What a cell answers: a value, or a problem document (RFC 9457) as a value. Only what keeps an answer
// from arriving is thrown.
import type { Problem } from '@bailiwick/contracts';
import { SdkError } from './errors.ts';

/** What came back beside the body. */
export interface AnswerMeta {
  readonly status: number;
  readonly requestId: string | undefined;
  /** Version of the resource, for `If-Match`. */
  readonly etag: string | undefined;
}

/** A cell's answer. Look at `ok` before anything else; `unwrap` turns a problem into an exception. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T; readonly meta: AnswerMeta }
  | { readonly ok: false; readonly problem: Problem; readonly meta: AnswerMeta };

/**
 * The value of an answer, for callers that have no use for a problem.
 *
 * @throws {SdkError} `SDK_ANSWER_REFUSED` with the problem's code and status in `details` and the problem
 * itself as `cause`.
 */
export function unwrap<T>(answer: Answer<T>): T {
  if (answer.ok) return answer.value;
  const { code, status, title, detail, rules } = answer.problem;
  throw new SdkError('SDK_ANSWER_REFUSED', `${code}: ${detail === '' ? title : detail}`, {
    details: { code, status, ...(rules === undefined ? {} : { rules }) },
    cause: answer.problem,
  });
}

/** The problem that `unwrap` put into an error, when `error` is one of those. */
export function findProblem(error: unknown): Problem | undefined {
  if (!(error instanceof Error) || !isProblem(error.cause)) return undefined;
  return error.cause;
}

/** True for what has the shape of a problem document with our `code`. */
export function isProblem(value: unknown): value is Problem {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'status' in value &&
    typeof value.status === 'number' &&
    'title' in value &&
    typeof value.title === 'string'
  );
}

/** Reads a problem document; anything else becomes a problem that says so. The body is untrusted. */
export function toProblem(status: number, body: unknown): Problem {
  if (isProblem(body))
    return { ...body, detail: typeof body.detail === 'string' ? body.detail : '' };
  return {
    type: 'about:blank',
    title: `the answer had status ${status} and no problem document`,
    status,
    detail: '',
    code: 'SDK_ANSWER_INVALID',
  };
}
