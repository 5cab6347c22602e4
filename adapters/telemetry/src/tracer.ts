// SPDX-License-Identifier: Apache-2.0
// Traces that stay in place: spans are made when something has ended, kept in a bounded queue, and go to a file
// beside the logs or to a collector that stands where the process stands. Nothing is bound to the work itself:
// no context follows it through the process, and what does not fit is dropped and counted.
import { randomBytes } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { parseTraceparent, type SpanRecord, toOtlpJson, toSafeSpan } from './spans.ts';

/** Something that has ended. */
export interface EndedSpan {
  readonly name: string;
  readonly kind: SpanRecord['kind'];
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: SpanRecord['attributes'];
  /** `traceparent` of who asked. */
  readonly parent?: unknown;
}

export interface Tracer {
  /** Keeps a span, when its trace is sampled. */
  end(span: EndedSpan): void;
  /** How many spans were dropped because nobody took them in time. */
  readonly droppedCount: number;
  /** Sends what is kept. */
  flush(): Promise<void>;
  /** Sends what is kept, and stops. */
  close(): Promise<void>;
}

export interface TracerOptions {
  /** `service.name` and what else names the process: words, no ids of tenants. */
  readonly resource: Readonly<Record<string, string>>;
  /** Share of traces that begin here and are kept; 0 to 1. What a caller sampled is kept. */
  readonly share: number;
  /** Spans are appended to `<directory>/<component>-traces.jsonl`, a batch a line. */
  readonly file?: { readonly directory: string; readonly component: string };
  /** OTLP over HTTP: spans are posted to `<url>/v1/traces`. */
  readonly otlp?: { readonly url: string };
  /** Told the code of a failure to export. */
  readonly onFailure?: (code: string) => void;
}

/** Spans that wait; more are dropped. */
export const SPANS_COUNT_MAX = 4_096;
const BATCH_COUNT_MAX = 512;
const FLUSH_INTERVAL_MS = 1_000;
const EXPORT_MS_MAX = 5_000;

/** Makes a tracer; it sends each second until it is closed. */
export function createTracer(options: TracerOptions): Tracer {
  return new BatchTracer(options);
}

class BatchTracer implements Tracer {
  readonly #options: TracerOptions;
  readonly #timer: NodeJS.Timeout;
  #waiting: SpanRecord[] = [];
  #dropped = 0;
  #running: Promise<void> = Promise.resolve();

  constructor(options: TracerOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.flush(), FLUSH_INTERVAL_MS).unref();
  }

  get droppedCount(): number {
    return this.#dropped;
  }

  end({ parent: header, ...span }: EndedSpan): void {
    const parent = parseTraceparent(header);
    const isKept = parent?.isSampled ?? Math.random() < this.#options.share;
    if (!isKept) return;
    if (this.#waiting.length >= SPANS_COUNT_MAX) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(
      toSafeSpan({
        ...span,
        traceId: parent?.traceId ?? randomBytes(16).toString('hex'),
        spanId: randomBytes(8).toString('hex'),
        ...(parent === undefined ? {} : { parentSpanId: parent.spanId }),
      }),
    );
  }

  flush(): Promise<void> {
    this.#running = this.#running.then(() => this.#send());
    return this.#running;
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, BATCH_COUNT_MAX);
      const text = toOtlpJson(batch, this.#options.resource);
      try {
        await Promise.all([this.#write(text), this.#post(text)]);
      } catch (error) {
        // Telemetry never holds up what it tells of: a batch that nobody took is gone, and counted.
        this.#dropped += batch.length;
        const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
        this.#options.onFailure?.(code);
      }
    }
  }

  async #write(text: string): Promise<void> {
    const { file } = this.#options;
    if (file === undefined) return;
    await appendFile(path.join(file.directory, `${file.component}-traces.jsonl`), `${text}\n`);
  }

  async #post(text: string): Promise<void> {
    const { otlp } = this.#options;
    if (otlp === undefined) return;
    const response = await fetch(`${otlp.url.replace(/\/$/, '')}/v1/traces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text,
      redirect: 'error',
      signal: AbortSignal.timeout(EXPORT_MS_MAX),
    });
    await response.body?.cancel();
    if (!response.ok)
      throw Object.assign(new Error('refused'), { code: `HTTP_${response.status}` });
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.flush();
  }
}
