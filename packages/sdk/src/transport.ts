// SPDX-License-Identifier: Apache-2.0
// HTTP to one server: TLS to an address under the server's own name, bounded retries with jitter, one
// Idempotency-Key per call. Knows nothing of tokens, residencies or what the bodies mean.
import { randomUUID } from 'node:crypto';
import { type buildConnector, type Dispatcher, Pool } from 'undici';
import type { Answer } from './answer.ts';
import { toProblem } from './answer.ts';
import { SdkError } from './errors.ts';
import {
  ANSWER_SIZE_BYTES_MAX,
  ATTEMPT_MS_MAX,
  ATTEMPTS_COUNT_MAX,
  BACKOFF_MS_FIRST,
  BACKOFF_MS_MAX,
  CONNECTIONS_COUNT_MAX,
  DEADLINE_MS_DEFAULT,
} from './limits.ts';

/** Where a server is reached and which name its certificate must show. */
export interface Endpoint {
  readonly name: string;
  /** Host or address to connect to; the name itself when absent. */
  readonly host?: string;
  readonly port: number;
}

export interface TransportOptions {
  readonly endpoint: Endpoint;
  /** PEM of the certificate authorities to trust instead of the system's. */
  readonly ca?: string;
  /** Connects in its own way (mTLS with SPIFFE identities); `ca` is then not used. */
  readonly connector?: buildConnector.connector;
  readonly connectionsCountMax?: number;
  /** For calls that state none. Attempts go on until then; without one there are a few. */
  readonly deadlineMs?: number;
}

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

export interface Call {
  readonly method: Method;
  /** Path and query; ids only, never a personal value (invariant 7). */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A JSON value; or text or bytes with a content type of their own. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly deadlineMs?: number;
  /** Give the same key again to repeat a call of an earlier process; made up when absent. */
  readonly idempotencyKey?: string;
  readonly signal?: AbortSignal;
  /** True when the call has no effect though it is a POST: searches, counts, openings. */
  readonly isRead?: boolean;
}

export interface Transport {
  call<T>(call: Call): Promise<Answer<T>>;
  close(): Promise<void>;
}

/** Told before a pause between attempts: what happened and how long the pause is. */
interface Attempt {
  readonly retryAfterMs?: number;
  readonly answer?: Answer<unknown>;
  readonly error?: SdkError;
}

const NOT_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']);
const RETRIED_STATUS = new Set([429, 502, 503, 504]);

/** Opens a transport to one server; connections are made when first needed. Close it when done. */
export function openTransport(options: TransportOptions): Transport {
  const { endpoint } = options;
  const { ca } = options;
  const pool = new Pool(`https://${endpoint.host ?? endpoint.name}:${endpoint.port}`, {
    connections: options.connectionsCountMax ?? CONNECTIONS_COUNT_MAX,
    headersTimeout: ATTEMPT_MS_MAX,
    bodyTimeout: ATTEMPT_MS_MAX,
    connect: options.connector ?? {
      servername: endpoint.name,
      timeout: 5_000,
      minVersion: 'TLSv1.3',
      ...(ca === undefined ? {} : { ca }),
    },
  });
  return {
    call: <T>(call: Call) =>
      callWithRetries<T>(pool, endpoint, { ...toDeadline(options), ...call }),
    close: () => pool.close(),
  };
}

function toDeadline({ deadlineMs }: TransportOptions): { readonly deadlineMs?: number } {
  return deadlineMs === undefined ? {} : { deadlineMs };
}

async function callWithRetries<T>(pool: Pool, endpoint: Endpoint, call: Call): Promise<Answer<T>> {
  const startedAt = performance.now();
  const deadlineMs = call.deadlineMs ?? DEADLINE_MS_DEFAULT;
  const headers = toHeaders(endpoint, call);
  for (let attempt = 1; ; attempt += 1) {
    const leftMs = deadlineMs - (performance.now() - startedAt);
    const outcome = await attemptOnce(pool, call, headers, Math.max(1, leftMs));
    if ('done' in outcome) return outcome.done as Answer<T>;
    const pauseMs = Math.max(outcome.retryAfterMs ?? 0, toPauseMs(attempt));
    const isOver = attempt >= ATTEMPTS_COUNT_MAX && call.deadlineMs === undefined;
    if (isOver || performance.now() - startedAt + pauseMs >= deadlineMs) {
      if (outcome.answer !== undefined) return outcome.answer as Answer<T>;
      throw outcome.error ?? new SdkError('SDK_DEADLINE_EXCEEDED', 'the deadline has passed');
    }
    await pause(pauseMs, call.signal);
  }
}

/** Full jitter: a random share of an exponential bound, so that clients do not come back together. */
function toPauseMs(attempt: number): number {
  return Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS_FIRST * 2 ** attempt);
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(new SdkError('SDK_DEADLINE_EXCEEDED', 'the call was given up'));
    };
    if (signal?.aborted === true) return onAbort();
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

function toHeaders(endpoint: Endpoint, call: Call): Record<string, string> {
  const headers: Record<string, string> = {
    host: endpoint.port === 443 ? endpoint.name : `${endpoint.name}:${endpoint.port}`,
    accept: 'application/json, application/problem+json',
    ...call.headers,
  };
  if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
  if (call.method === 'POST') headers['idempotency-key'] = call.idempotencyKey ?? randomUUID();
  return headers;
}

function toBody(call: Call): string | Buffer | null {
  if (call.body === undefined) return null;
  if (call.contentType !== undefined && call.contentType !== 'application/json') {
    if (typeof call.body === 'string' || Buffer.isBuffer(call.body)) return call.body;
    throw new SdkError('SDK_OPTIONS_INVALID', 'a body that is not JSON must be text or bytes');
  }
  return JSON.stringify(call.body);
}

async function attemptOnce(
  pool: Pool,
  call: Call,
  headers: Record<string, string>,
  leftMs: number,
): Promise<{ readonly done: Answer<unknown> } | Attempt> {
  const timeout = AbortSignal.timeout(Math.ceil(leftMs));
  const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
  let response: Dispatcher.ResponseData;
  let bytes: Buffer;
  try {
    response = await pool.request({
      method: call.method,
      path: call.path,
      headers,
      body: toBody(call),
      signal,
    });
    bytes = await readBytes(response);
  } catch (error) {
    return toFailedAttempt(call, error, { isGivenUp: call.signal?.aborted === true });
  }
  const answer = toAnswer(response, bytes);
  if (!answer.ok && isRetried(answer.problem.status, answer.problem.code)) {
    return { answer, ...toRetryAfter(response) };
  }
  return { done: answer };
}

function isRetried(status: number, code: string): boolean {
  return RETRIED_STATUS.has(status) || (status === 409 && code.endsWith('_IN_FLIGHT'));
}

function toFailedAttempt(
  call: Call,
  error: unknown,
  { isGivenUp }: { readonly isGivenUp: boolean },
): Attempt {
  const code = toNetworkCode(error);
  if (error instanceof SdkError) throw error;
  if (isGivenUp)
    throw new SdkError('SDK_DEADLINE_EXCEEDED', 'the call was given up', { cause: error });
  const failure = new SdkError('SDK_CELL_UNREACHABLE', `the cell does not answer (${code})`, {
    details: { reason: code },
    cause: error,
  });
  // A certificate that does not verify will not verify in a second either.
  if (/^ERR_TLS|CERT|^UNABLE_TO_|^EPROTO/.test(code)) throw failure;
  // A lost PATCH may have been done; its repetition would meet a newer version and look like a conflict.
  if (call.method === 'PATCH' && !NOT_SENT.has(code)) throw failure;
  return { error: failure };
}

function toNetworkCode(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error.name;
}

function toRetryAfter(response: Dispatcher.ResponseData): { readonly retryAfterMs?: number } {
  const seconds = Number(response.headers['retry-after']);
  return Number.isFinite(seconds) && seconds >= 0 ? { retryAfterMs: seconds * 1000 } : {};
}

async function readBytes(response: Dispatcher.ResponseData): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) {
      throw new SdkError('SDK_ANSWER_INVALID', 'the answer is larger than this library accepts');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes);
}

function toAnswer(response: Dispatcher.ResponseData, bytes: Buffer): Answer<unknown> {
  const status = response.statusCode;
  const meta = {
    status,
    requestId: toSingle(response.headers['x-request-id']),
    etag: toSingle(response.headers['etag']),
  };
  const type = toSingle(response.headers['content-type']) ?? '';
  let value: unknown;
  try {
    value = toValue(bytes, type);
  } catch (error) {
    throw new SdkError('SDK_ANSWER_INVALID', 'the answer is not the JSON it says it is', {
      cause: error,
    });
  }
  if (status >= 200 && status < 300) return { ok: true, value, meta };
  return { ok: false, problem: toProblem(status, value), meta };
}

/** JSON as a value, text as text, anything else as bytes. */
function toValue(bytes: Buffer, type: string): unknown {
  if (/[/+]json\b/.test(type)) return bytes.length === 0 ? undefined : JSON.parse(bytes.toString());
  if (type.startsWith('text/')) return bytes.toString('utf8');
  return bytes.length === 0 ? undefined : bytes;
}

function toSingle(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
