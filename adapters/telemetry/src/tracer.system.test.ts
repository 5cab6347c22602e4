// SPDX-License-Identifier: Apache-2.0
// Goal: a span says what is on the list and nothing else, joins the trace that asked, and never holds anybody up.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseTraceparent, toOtlpJson, toSafeSpan, toTraceparent } from './spans.ts';
import { createTracer, type EndedSpan, SPANS_COUNT_MAX } from './tracer.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const aSpan = (more: Partial<EndedSpan> = {}): EndedSpan => ({
  name: 'GET /v1/keys',
  kind: 'server',
  startMs: 1_795_000_000_000.25,
  endMs: 1_795_000_000_007.5,
  isError: false,
  attributes: { 'http.request.method': 'GET' },
  ...more,
});

describe('traceparent', () => {
  it('is read and written as W3C has it', () => {
    const header = `00-${TRACE}-${SPAN}-01`;
    const context = { traceId: TRACE, spanId: SPAN, isSampled: true };
    expect(parseTraceparent(header)).toEqual(context);
    expect(toTraceparent(context)).toBe(header);
    expect(parseTraceparent(`00-${TRACE}-${SPAN}-00`)?.isSampled).toBe(false);
  });

  it.each([
    undefined,
    '',
    7,
    `01-${TRACE}-${SPAN}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}`,
    [`00-${TRACE}-${SPAN}-01`],
  ])('is none when it is %j', (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});

describe('a span', () => {
  it('keeps what is on the list and looks as it must', () => {
    const { attributes, name } = toSafeSpan({
      ...aSpan({
        name: 'GET /v1/x?email=erika@post.example',
        attributes: {
          'http.request.method': 'GET',
          'http.route': '/v1/erika@post.example',
          'http.response.status_code': 200,
          'error.type': 'Erika Mustermann',
          'user.email': 'erika@post.example',
          'bailiwick.request.id': 'erika',
        },
      }),
      traceId: TRACE,
      spanId: SPAN,
    });
    expect(name).toBe('unnamed');
    expect(attributes).toEqual({ 'http.request.method': 'GET', 'http.response.status_code': 200 });
  });

  it('is written in OTLP’s JSON', () => {
    const text = toOtlpJson(
      [{ ...aSpan({ isError: true }), traceId: TRACE, spanId: SPAN, parentSpanId: SPAN }],
      { 'service.name': 'cell' },
    );
    expect(JSON.parse(text)).toEqual({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 'cell' } }] },
          scopeSpans: [
            {
              scope: { name: 'bailiwick' },
              spans: [
                {
                  traceId: TRACE,
                  spanId: SPAN,
                  parentSpanId: SPAN,
                  name: 'GET /v1/keys',
                  kind: 2,
                  startTimeUnixNano: '1795000000000250000',
                  endTimeUnixNano: '1795000000007500000',
                  attributes: [{ key: 'http.request.method', value: { stringValue: 'GET' } }],
                  status: { code: 2 },
                },
              ],
            },
          ],
        },
      ],
    });
  });
});

describe('a tracer', () => {
  it('keeps what a caller sampled, its own share, and no more than there is room for', () => {
    const tracer = createTracer({ resource: {}, share: 0 });
    tracer.end(aSpan());
    tracer.end(aSpan({ parent: `00-${TRACE}-${SPAN}-00` }));
    for (let count = 0; count < SPANS_COUNT_MAX + 3; count += 1) {
      tracer.end(aSpan({ parent: `00-${TRACE}-${SPAN}-01` }));
    }
    expect(tracer.droppedCount).toBe(3);
    return tracer.close();
  });

  it('sends to a file and to a collector, and counts what nobody took', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-traces-'));
    const bodies: string[] = [];
    let status = 200;
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      bodies.push(`${request.url} ${Buffer.concat(chunks).toString()}`);
      response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const failures: string[] = [];
    const tracer = createTracer({
      resource: { 'service.name': 'cell' },
      share: 1,
      file: { directory, component: 'cell' },
      otlp: { url: `http://127.0.0.1:${port}/` },
      onFailure: (code) => failures.push(code),
    });
    try {
      tracer.end(aSpan({ parent: `00-${TRACE}-${SPAN}-01` }));
      tracer.end(aSpan());
      await tracer.flush();
      expect(bodies).toHaveLength(1);
      const [path_ = '', text = ''] = bodies[0]?.split(/ (.*)/s) ?? [];
      expect(path_).toBe('/v1/traces');
      const { spans } = JSON.parse(text).resourceSpans[0].scopeSpans[0];
      expect(spans).toHaveLength(2);
      expect(spans[0]).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
      expect(spans[1].traceId).not.toBe(TRACE);
      expect(readFileSync(path.join(directory, 'cell-traces.jsonl'), 'utf8')).toBe(`${text}\n`);
      status = 500;
      tracer.end(aSpan());
      await tracer.close();
      expect([tracer.droppedCount, failures]).toEqual([1, ['HTTP_500']]);
    } finally {
      server.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
