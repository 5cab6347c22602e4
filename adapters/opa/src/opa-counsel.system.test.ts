// SPDX-License-Identifier: Apache-2.0
// Goal: only a plain yes of OPA is a yes, and a sick OPA costs a bound. Method: a server that speaks OPA's REST
// API in a thread of its own, sound and sick in every way.
import type { CounselQuestion } from '@bailiwick/policy';
import { createFakeClock } from '@bailiwick/testkit';
import { type OpaThread, startOpaThread } from '@bailiwick/testkit/servers/opa-thread';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REST_MS } from './limits.ts';
import { type OpaCounselOptions, openOpaCounsel } from './opa-counsel.ts';

const QUESTION: CounselQuestion = {
  actor: {
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    category: 'contact',
    regime: 'gdpr',
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', id: 'none', location: 'de', operator: 'de' },
  purpose: 'order-fulfilment',
  mechanism: 'none',
  consent: 'absent',
  given: [],
  at: 1_795_000_000_000,
};
const MARKETING: CounselQuestion = { ...QUESTION, purpose: 'marketing' };

let opa: OpaThread;
beforeAll(async () => {
  opa = await startOpaThread();
});
afterAll(() => opa?.close());

/** A counsel with real time, unless a test brings its own. */
const open = (change: Partial<OpaCounselOptions> = {}) =>
  openOpaCounsel({
    name: 'house',
    url: opa.url,
    path: 'house/allow',
    timeoutMs: 1_000,
    answerForMs: 0,
    monotonicMs: () => performance.now(),
    ...change,
  });

async function ask(
  change: Partial<OpaCounselOptions>,
  question: CounselQuestion = QUESTION,
): Promise<boolean> {
  const counsel = await open(change);
  try {
    return counsel.ask(question);
  } finally {
    await counsel.close();
  }
}

describe('an answer of OPA', () => {
  it.each([
    ['true', 'house/allow', true],
    ['a record that allows', 'house/record', true],
    ['undefined', 'house/nothing', false],
    ['a text', 'house/text', false],
    ['an error', 'house/fails', false],
    ['of a document that is not there', 'house/elsewhere', false],
  ])('%s (`%s`) is %s', async (_what, path, expected) => {
    expect(await ask({ path })).toBe(expected);
  });

  it('false is no, as a truth and in a record', async () => {
    expect(await ask({}, MARKETING)).toBe(false);
    expect(await ask({ path: 'house/record' }, MARKETING)).toBe(false);
  });

  it('is about the flow, whole', async () => {
    await ask({});
    expect((await opa.inputs()).at(-1)).toEqual(QUESTION);
  });
});

describe('a server', () => {
  it.each(['hang', 'throttle', 'babble'] as const)('that does %s is a no', async (mode) => {
    await opa.setMode(mode);
    expect(await ask({ timeoutMs: 200 })).toBe(false);
    await opa.setMode('sound');
  });

  it('that is late holds the cell up for its time-out, once a second, and then is asked again', async () => {
    await opa.setMode('hang');
    const clock = createFakeClock();
    const started = performance.now();
    // Time goes on by itself only within the question: the rest after it is the test's to end.
    const monotonicMs = (): number => clock.monotonicMs() + (performance.now() - started);
    const counsel = await open({ timeoutMs: 100, monotonicMs });
    expect(counsel.ask(QUESTION)).toBe(false);
    const afterMs = performance.now() - started;
    expect(afterMs).toBeGreaterThanOrEqual(95);
    for (let index = 0; index < 1_000; index += 1) expect(counsel.ask(QUESTION)).toBe(false);
    expect(performance.now() - started - afterMs).toBeLessThan(REST_MS / 2);
    await opa.setMode('sound');
    clock.advance(2 * REST_MS);
    expect(counsel.ask(QUESTION)).toBe(true);
    await counsel.close();
    expect(counsel.ask(QUESTION)).toBe(false);
  });

  it('that is away is a no, and a yes again when it is back', async () => {
    const clock = createFakeClock();
    const started = performance.now();
    const counsel = await open({
      monotonicMs: () => clock.monotonicMs() + performance.now() - started,
    });
    expect(counsel.ask(QUESTION)).toBe(true);
    await opa.leave();
    expect(counsel.ask(QUESTION)).toBe(false);
    await opa.comeBack();
    clock.advance(2 * REST_MS);
    expect(counsel.ask(QUESTION)).toBe(true);
    await counsel.close();
  });

  it('that asks for a token gets it, and refuses another', async () => {
    const guarded = await startOpaThread({ token: 'a-token-of-its-own' });
    expect(await ask({ url: guarded.url, token: 'a-token-of-its-own' })).toBe(true);
    expect(await ask({ url: guarded.url, token: 'another' })).toBe(false);
    expect(await ask({ url: guarded.url })).toBe(false);
    await guarded.close();
  });
});

describe('an answer that is remembered', () => {
  it('holds for its time, for the same question at another instant, and for no other question', async () => {
    const clock = createFakeClock();
    const counsel = await open({ answerForMs: 500, monotonicMs: () => clock.monotonicMs() });
    expect(counsel.ask(QUESTION)).toBe(true);
    const before = (await opa.inputs()).length;
    expect(counsel.ask({ ...QUESTION, at: QUESTION.at + 1 })).toBe(true);
    expect((await opa.inputs()).length).toBe(before);
    expect(counsel.ask(MARKETING)).toBe(false);
    clock.advance(501);
    expect(counsel.ask(QUESTION)).toBe(true);
    expect((await opa.inputs()).length).toBe(before + 2);
    await counsel.close();
  });
});

describe('a counsel', () => {
  it.each([
    ['plain http to another machine', { url: 'http://opa.example:8181' }],
    ['something that is no url', { url: 'opa' }],
    ['another scheme', { url: 'file:///etc/passwd' }],
    ['a path that climbs', { path: '../system' }],
    ['a path with a query', { path: 'house?pretty=true' }],
    ['no time at all', { timeoutMs: 0 }],
    ['time without end', { timeoutMs: 60_000 }],
  ])('is not opened with %s', async (_what, change) => {
    await expect(open(change)).rejects.toMatchObject({ code: 'OPA_CONFIG_INVALID' });
  });
});
