// SPDX-License-Identifier: Apache-2.0
// What a span may say, by allow-list: a method, a route's template, a status, a code, a request's id. W3C Trace
// Context comes in as `traceparent`; `tracestate` and baggage hold free text and are dropped.

/** Where a request stands in a trace: https://www.w3.org/TR/trace-context/#traceparent-header */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly isSampled: boolean;
}

/** What happened in one span. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: 'internal' | 'server' | 'client';
  readonly startMs: number;
  readonly endMs: number;
  readonly isError: boolean;
  readonly attributes: Readonly<Record<string, string | number>>;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** Reads a `traceparent`; anything else than one of version 00 is none. SECURITY: untrusted. */
export function parseTraceparent(header: unknown): TraceContext | undefined {
  if (typeof header !== 'string') return undefined;
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(header) ?? [];
  if (traceId === '' || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header for what is called from here. */
export function toTraceparent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

const isWord =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && pattern.test(value);

/** Names of attributes, and how a value of each must look. */
const SHAPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  'http.request.method': isWord(/^[A-Z]{3,7}$/),
  'http.route': isWord(/^\/[a-zA-Z0-9_.*:/-]{0,127}$/),
  'http.response.status_code': (value) => Number.isInteger(value),
  'error.type': isWord(/^[A-Z0-9_]{2,64}$/),
  'bailiwick.request.id': isWord(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
  'bailiwick.job': isWord(/^[a-z][a-z-]{0,62}$/),
};

/** Names of all attributes that a span may carry. */
export const SPAN_ATTRIBUTE_NAMES: readonly string[] = Object.keys(SHAPES);
const NAME = /^[A-Za-z][A-Za-z0-9 _.*:/-]{0,140}$/;

/** Keeps what is on the list and looks as it must. */
export function toSafeSpan(span: SpanRecord): SpanRecord {
  const attributes: Record<string, string | number> = {};
  for (const [name, value] of Object.entries(span.attributes)) {
    if (SHAPES[name]?.(value) === true) attributes[name] = value;
  }
  return { ...span, name: NAME.test(span.name) ? span.name : 'unnamed', attributes };
}

const KINDS = { internal: 1, server: 2, client: 3 } as const;

/** Spans in OTLP's JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"). */
export function toOtlpJson(
  spans: readonly SpanRecord[],
  resource: Readonly<Record<string, string>>,
): string {
  const toAttributes = (values: Readonly<Record<string, string | number>>): readonly object[] =>
    Object.entries(values).map(([key, value]) => ({
      key,
      value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
    }));
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: toAttributes(resource) },
        scopeSpans: [
          {
            scope: { name: 'bailiwick' },
            spans: spans.map((span) => ({
              traceId: span.traceId,
              spanId: span.spanId,
              ...(span.parentSpanId === undefined ? {} : { parentSpanId: span.parentSpanId }),
              name: span.name,
              kind: KINDS[span.kind],
              startTimeUnixNano: toNanos(span.startMs),
              endTimeUnixNano: toNanos(span.endMs),
              attributes: toAttributes(span.attributes),
              status: span.isError ? { code: 2 } : {},
            })),
          },
        ],
      },
    ],
  });
}

function toNanos(ms: number): string {
  return String(BigInt(Math.round(ms * 1000)) * 1000n);
}
