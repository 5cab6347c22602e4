// SPDX-License-Identifier: Apache-2.0
// Goal: nothing that is not on the list leaves through a log line or a metric, whatever a caller passes.
import { describe, expect, it } from 'vitest';
import { createMeterInPlace, type LogFields, openLog, SERIES_COUNT_MAX } from './index.ts';

const CANARY = 'erika.mustermann@example.org';

function capture(): { readonly lines: string[]; readonly log: ReturnType<typeof openLog> } {
  const lines: string[] = [];
  const log = openLog({
    component: 'test',
    level: 'debug',
    stream: { write: (line: string) => void lines.push(line) },
  });
  return { lines, log };
}

/** What a caller in plain JavaScript, or one who casts, could pass. */
function smuggle(fields: Record<string, unknown>): LogFields {
  return fields as LogFields;
}

describe('log', () => {
  it('drops every field that is not on the list', () => {
    const { lines, log } = capture();
    log.info('request refused', smuggle({ email: CANARY, body: { a: CANARY }, status: 403 }));
    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain('erika');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'info',
      status: 403,
      component: 'test',
    });
  });

  it.each([
    ['code', CANARY],
    ['route', `/v1/people/${CANARY}`],
    ['requestId', CANARY],
    ['kind', CANARY],
    ['status', CANARY],
    ['cell', CANARY],
    ['hash', CANARY],
    ['method', CANARY],
    ['count', [CANARY]],
  ])('drops a value that does not look like `%s`', (name, value) => {
    const { lines, log } = capture();
    log.warn('odd', smuggle({ [name]: value }));
    expect(lines[0]).not.toContain('erika');
    expect(JSON.parse(lines[0] ?? '')).not.toHaveProperty(name);
  });

  it('keeps class, code and place of an error and its causes, and never their messages', () => {
    const { lines, log } = capture();
    const cause = Object.assign(new Error(`invalid input syntax for type uuid: "${CANARY}"`), {
      code: '22P02',
      detail: CANARY,
    });
    const error = new TypeError(`${CANARY}\n    at ${CANARY} (/home/${CANARY}/x.ts:1:2)`, {
      cause,
    });
    log.error('failed', { error });
    expect(lines[0]).not.toContain('erika');
    const line = JSON.parse(lines[0] ?? '');
    expect(line.errors).toEqual(['TypeError', 'Error:22P02']);
    expect(line.frames.some((frame: string) => frame.includes('telemetry.test.ts'))).toBe(true);
  });

  it('drops what an error smuggles in as its name or code', () => {
    const { lines, log } = capture();
    const error = Object.assign(new Error('x'), { name: CANARY, code: CANARY });
    log.error('failed', { error });
    log.error('failed', { error: CANARY });
    expect(lines.join('')).not.toContain('erika');
  });

  it('applies the list to the fields of a derived log as well', () => {
    const { lines, log } = capture();
    log.with(smuggle({ cell: 'eu-de/main', user: CANARY })).info('ready');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ cell: 'eu-de/main' });
    expect(lines[0]).not.toContain('erika');
  });
});

describe('meter', () => {
  it('tells counters, gauges and histograms as Prometheus text', async () => {
    const { meter, toText, counters } = createMeterInPlace();
    meter.createCounter('bailiwick.decisions').add(2, { outcome: 'deny' });
    meter.createCounter('bailiwick.decisions').add(1, { outcome: 'deny' });
    meter.createHistogram('http.server.request.duration', { unit: 's' }).record(0.004);
    meter.createObservableGauge('bailiwick.queue').addCallback((result) => result.observe(7));
    const text = await toText();
    expect(text).toContain('bailiwick_decisions_total{outcome="deny"} 3');
    expect(text).toContain('http_server_request_duration_seconds_bucket{le="0.005"} 1');
    expect(text).toContain('http_server_request_duration_seconds_bucket{le="+Inf"} 1');
    expect(text).toContain('http_server_request_duration_seconds_count 1');
    expect(text).toContain('bailiwick_queue 7');
    expect(counters()).toEqual([
      { name: 'bailiwick.decisions', attributes: { outcome: 'deny' }, value: 3 },
    ]);
  });

  it.each([
    ['a name that is not on the list', { tenant: 'acme' }],
    ['a tenant id as a value', { kind: '0190b3a0-0000-7000-8000-000000000001' }],
    ['free text as a value', { kind: CANARY }],
    ['text with a line break', { kind: 'a\nb' }],
  ])('drops %s', async (_what, attributes) => {
    const { meter, toText } = createMeterInPlace();
    meter.createCounter('bailiwick.x').add(1, attributes);
    expect(await toText()).toContain('bailiwick_x_total 1\n');
  });

  it('bounds the series of an instrument and counts the rest in one marked as overflow', async () => {
    const { meter, counters } = createMeterInPlace();
    const counter = meter.createCounter('bailiwick.x');
    for (let index = 0; index < SERIES_COUNT_MAX + 50; index += 1) {
      counter.add(1, { kind: `k${index}` });
    }
    const figures = counters();
    expect(figures).toHaveLength(SERIES_COUNT_MAX + 1);
    expect(figures.at(-1)).toMatchObject({
      attributes: { 'otel.metric.overflow': 'true' },
      value: 50,
    });
  });

  it('keeps an instrument with an impossible name out of the text', async () => {
    const { meter, toText } = createMeterInPlace();
    meter.createCounter(CANARY).add(1);
    expect(await toText()).not.toContain('erika');
  });
});
