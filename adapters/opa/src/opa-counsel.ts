// SPDX-License-Identifier: Apache-2.0
// An OPA server as a counsel. Decisions in a cell are made in place: the thread that decides waits for the
// worker that asks, within a bound, and rests where OPA was late, so that a dead OPA costs a bound a second.
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import type { Counsel, CounselQuestion } from '@bailiwick/policy';
import { OpaError } from './errors.ts';
import { ANSWERS_COUNT_MAX, REST_MS, TIMEOUT_MS_MAX } from './limits.ts';

export interface OpaCounselOptions {
  readonly name: string;
  /** Origin of the server: `http://127.0.0.1:8181`. Plain HTTP is for a server on this machine. */
  readonly url: string;
  /** Of the document that decides: `house/allow`. */
  readonly path: string;
  /** Longest wait for one answer. */
  readonly timeoutMs: number;
  /** How long an answer holds for the same question; default 1 s, 0: not at all. */
  readonly answerForMs?: number;
  /** Bearer token that OPA asks for (`--authentication=token`). */
  readonly token?: string;
  /** PEM of the authorities to trust for https. */
  readonly ca?: string;
  /** Monotonic milliseconds. */
  readonly monotonicMs: () => number;
}

export type Answer = 'yes' | 'no' | 'failed';

/** What the worker is started with. */
export interface WorkerSetup {
  readonly origin: string;
  readonly path: string;
  readonly timeoutMs: number;
  readonly token?: string;
  readonly ca?: string;
  /** Holds the id of the newest question that has an answer. */
  readonly bell: Int32Array;
}

export interface WorkerQuestion {
  readonly id: number;
  readonly text: string;
  readonly port: MessagePort;
}

const PATH = /^[A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*){0,15}$/;
const LOCAL = new Set(['127.0.0.1', 'localhost', '[::1]']);

function check(options: OpaCounselOptions): string {
  const refuse = (problem: string): never => {
    throw new OpaError('OPA_CONFIG_INVALID', problem);
  };
  const url = URL.parse(options.url);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) refuse('expected an http url');
  // SECURITY: a flow tells who does what with whose data; it does not cross a network in the clear.
  const isPlain = url?.protocol === 'http:' && !LOCAL.has(url.hostname);
  if (isPlain) refuse('plain http is for a server on this machine: expected https');
  if (!PATH.test(options.path)) refuse('expected the path of a document, such as `house/allow`');
  const { timeoutMs } = options;
  if (!(timeoutMs >= 1 && timeoutMs <= TIMEOUT_MS_MAX)) {
    refuse(`expected a time-out of 1 to ${TIMEOUT_MS_MAX} ms`);
  }
  return url?.origin ?? '';
}

/**
 * Opens a counsel: its worker runs, the first question connects.
 *
 * @throws {OpaError} `OPA_CONFIG_INVALID`
 */
export async function openOpaCounsel(options: OpaCounselOptions): Promise<Counsel> {
  const counsel = new OpaCounsel(options, check(options));
  await counsel.ready();
  return counsel;
}

class OpaCounsel implements Counsel {
  readonly name: string;
  readonly #options: OpaCounselOptions;
  readonly #bell = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;
  readonly #answers = new Map<string, { readonly isYes: boolean; readonly untilMs: number }>();
  #lastId = 0;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  #isGone = false;

  constructor(options: OpaCounselOptions, origin: string) {
    this.name = options.name;
    this.#options = options;
    const { token, ca, timeoutMs } = options;
    const setup: WorkerSetup = {
      origin,
      path: `/v1/data/${options.path}`,
      timeoutMs,
      bell: this.#bell,
      ...(token === undefined ? {} : { token }),
      ...(ca === undefined ? {} : { ca }),
    };
    this.#worker = new Worker(new URL('./opa-worker.ts', import.meta.url), {
      workerData: setup,
      name: 'opa',
    });
    this.#worker.unref();
    const onEnd = (): void => {
      this.#isGone = true;
    };
    this.#worker.on('error', onEnd);
    this.#worker.on('exit', onEnd);
  }

  /** Resolves when the worker listens: whoever waits for it in place would hold its start up. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', () => resolve());
      this.#worker.once('error', reject);
    });
  }

  ask(question: CounselQuestion): boolean {
    const { answerForMs = 1_000, monotonicMs } = this.#options;
    const nowMs = monotonicMs();
    if (this.#isGone || nowMs < this.#restUntilMs) return false;
    const { at, ...rest } = question;
    const key = JSON.stringify(rest);
    const known = this.#answers.get(key);
    if (known !== undefined && nowMs < known.untilMs) return known.isYes;
    const answer = this.#askNow(JSON.stringify({ input: { ...rest, at } }));
    if (answer === 'failed') {
      this.#restUntilMs = monotonicMs() + REST_MS;
      return false;
    }
    const isYes = answer === 'yes';
    if (this.#answers.size >= ANSWERS_COUNT_MAX) this.#answers.clear();
    if (answerForMs > 0) this.#answers.set(key, { isYes, untilMs: nowMs + answerForMs });
    return isYes;
  }

  #askNow(text: string): Answer {
    const { port1: mine, port2: theirs } = new MessageChannel();
    this.#lastId = (this.#lastId + 1) & 0x7fffffff;
    const id = this.#lastId;
    const before = Atomics.load(this.#bell, 0);
    this.#worker.postMessage({ id, text, port: theirs } satisfies WorkerQuestion, [theirs]);
    const deadlineMs = this.#options.monotonicMs() + this.#options.timeoutMs;
    let seen = before;
    while (seen !== id) {
      const leftMs = deadlineMs - this.#options.monotonicMs();
      // An answer to an earlier question that came late wakes too: it has another id.
      if (leftMs <= 0 || Atomics.wait(this.#bell, 0, seen, leftMs) === 'timed-out') break;
      seen = Atomics.load(this.#bell, 0);
    }
    const received: { readonly message: Answer } | undefined = receiveMessageOnPort(mine);
    mine.close();
    return received?.message ?? 'failed';
  }

  async close(): Promise<void> {
    this.#isGone = true;
    await this.#worker.terminate();
  }
}
