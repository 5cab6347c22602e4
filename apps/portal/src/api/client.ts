// SPDX-License-Identifier: Apache-2.0
// The way to this cell: same origin, the session's cookie, one header that only this page sends. Every call
// ends within its time; what goes wrong is a `Problem` with the cell's own words.

/** What a cell says of what went wrong (RFC 9457). */
export interface ProblemDocument {
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail?: string;
  readonly instance?: string;
}

const TIMEOUT_MS = 15_000;

/** A call that did not give what was asked for. */
export class Problem extends Error {
  readonly document: ProblemDocument;

  constructor(document: ProblemDocument) {
    super(document.title);
    this.document = document;
  }
}

const UNREACHABLE: ProblemDocument = {
  title: 'this cell does not answer',
  detail: 'Look at the network, or wait a moment and try again.',
  status: 0,
  code: 'PORTAL_CELL_UNREACHABLE',
};

async function toDocument(response: Response): Promise<ProblemDocument> {
  const value: unknown = await response.json().catch(() => undefined);
  const isProblem = typeof value === 'object' && value !== null && 'code' in value;
  if (isProblem) return value as ProblemDocument;
  return {
    title: 'the answer cannot be understood',
    status: response.status,
    code: 'PORTAL_ANSWER_UNKNOWN',
  };
}

async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, {
      ...init,
      credentials: 'same-origin',
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { 'bailiwick-portal': '1', ...init.headers },
    });
  } catch {
    throw new Problem(UNREACHABLE);
  }
  if (!response.ok) throw new Problem(await toDocument(response));
  return response;
}

/** Reads JSON. The cell checks its own answers against their schemas. @throws {Problem} */
export async function get<T>(path: string): Promise<T> {
  const response = await send(path, { method: 'GET' });
  return (await response.json()) as T;
}

/** Reads text: checkpoints, proofs. @throws {Problem} */
export async function getText(path: string): Promise<string> {
  return (await send(path, { method: 'GET' })).text();
}

/** Sends JSON; each call is one action, however often the network repeats it. @throws {Problem} */
export async function post<T>(path: string, body: unknown = {}): Promise<T> {
  const response = await send(path, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID() },
  });
  return (await response.json()) as T;
}

/** @throws {Problem} */
export async function remove(path: string): Promise<void> {
  await send(path, { method: 'DELETE' });
}

/** Any failure as a document to show. */
export function toProblem(error: unknown): ProblemDocument {
  if (error instanceof Problem) return error.document;
  return {
    title: 'this page failed',
    status: 0,
    code: 'PORTAL_PAGE_FAILED',
    detail: error instanceof Error ? error.message : '',
  };
}
