// SPDX-License-Identifier: Apache-2.0
// Goal: a candidate can only take away, counts what it did, and stops by itself. Method: the retailer's
// charter beside narrower and wider ones; every flow of a list decided by both.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type CompiledCharter, compileCharter, parseCharter } from '@bailiwick/charter';
import type { BundleCandidate, RolloutLimits } from '@bailiwick/contracts';
import { type Decision, type Flow, parseTenantId } from '@bailiwick/kernel';
import { createEngine } from '@bailiwick/policy';
import { createFakeClock } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { type Canary, createCanary } from './canary.ts';

const sha256 = (text: string): string => hash('sha256', text, 'hex');
const TEXT = readFileSync(
  path.resolve(import.meta.dirname, '../../../../charters/retailer.yaml'),
  'utf8',
);
const compile = (text: string): CompiledCharter => compileCharter(parseCharter(text), { sha256 });
const law = compile(TEXT);
const own = createEngine(law, { serial: 7 });
/** Analysts read nothing: stricter. */
const narrower = compile(TEXT.replace('actor: { role: analyst }', 'actor: { role: auditor }'));
/** Support without a mechanism: looser. */
const wider = compile(TEXT.replace('    mechanism: [scc, bcr]\n', ''));
/** Figures about eleven: asks more. */
const asking = compile(TEXT.replaceAll('minimumCount: 10', 'minimumCount: 11'));
const tenant = parseTenantId('01890a5d-ac96-774b-bcce-b302099a8057');
const other = parseTenantId('01890a5d-ac96-774b-bcce-b302099a8058');

const LIMITS: RolloutLimits = {
  errorsCountMax: 0,
  stricterBasisPointsMax: 10_000,
  latencyMicrosMax: 60_000_000,
  decidedCountMin: 0,
};

const toCandidate = (change: Partial<BundleCandidate> = {}): BundleCandidate => ({
  serial: 8,
  text: 'x',
  textHash: '0'.repeat(64),
  shareBasisPoints: 10_000,
  limits: LIMITS,
  ...change,
});

const beside = (charter: CompiledCharter, change: Partial<BundleCandidate> = {}): Canary =>
  createCanary({
    clock: createFakeClock(),
    candidate: toCandidate(change),
    charter,
    terms: new Map([[other, { terms: 1, version: 1, purposes: ['no-such-purpose'] }]]),
  });

const READ: Flow = {
  actor: {
    kind: 'workload',
    role: 'analyst',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    categories: ['behavioural'],
    regimes: ['gdpr'],
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', location: 'de', operator: 'de' },
  purpose: 'analytics',
  consent: 'absent',
  conditions: [],
  atMs: Date.parse('2026-11-20T12:00:00Z'),
};
const SUPPORT: Flow = {
  ...READ,
  actor: { ...READ.actor, role: 'support-agent', employer: 'processor', place: 'in' },
  data: { ...READ.data, categories: ['transactional'], regimes: ['ch-fadp'], origin: 'ch' },
  to: { kind: 'reader', location: 'in', operator: 'in' },
  purpose: 'customer-support',
};
const FIGURES: Flow = {
  ...READ,
  action: 'transfer',
  form: 'aggregated',
  to: { kind: 'cell', id: 'us-va/main', location: 'us-va', operator: 'us' },
  purpose: 'statistics',
};

const judge = (canary: Canary, flow: Flow): Decision =>
  canary.judge(tenant, flow, own.decide(flow));

describe('a candidate beside the law', () => {
  it('takes away what it denies, and says whose answer holds', () => {
    const canary = beside(narrower);
    expect(own.decide(READ).outcome).toBe('allow');
    const decision = judge(canary, READ);
    expect(decision).toMatchObject({
      outcome: 'deny',
      charter: { serial: 8, hash: narrower.hash },
      also: { serial: 7, hash: law.hash, outcome: 'allow' },
    });
    expect(canary.tally.figures()).toMatchObject({ decided: 1, stricter: 1, looser: 0 });
    expect(canary.tally.figures().kinds).toEqual([
      {
        change: 'stricter',
        action: 'read',
        class: 'restricted',
        before: ['analysts-see-no-names'],
        after: [],
        count: 1,
      },
    ]);
  });

  it('gives nothing: what only it allows stays denied, and is counted', () => {
    const canary = beside(wider);
    const before = own.decide(SUPPORT);
    expect(before.outcome).toBe('deny');
    expect(
      createEngine(wider, { serial: 8 }).decide({ ...SUPPORT, mechanism: 'scc' }).outcome,
    ).toBe('allow');
    for (const flow of [SUPPORT, READ, FIGURES, { ...SUPPORT, mechanism: 'scc' }]) {
      const decision = judge(canary, flow);
      const plain = own.decide(flow);
      expect([decision.outcome, decision.rules]).toEqual([plain.outcome, plain.rules]);
    }
    expect(canary.tally.figures().stricter).toBe(0);
  });

  it('adds what it asks for to what the law asks for', () => {
    const canary = beside(asking);
    const decision = judge(canary, FIGURES);
    expect(decision.outcome).toBe('allow');
    expect(decision.obligations).toEqual([{ kind: 'aggregate', minimumCount: 11 }]);
    expect(canary.tally.figures()).toMatchObject({ stricter: 1, looser: 0 });
    const less = createCanary({
      clock: createFakeClock(),
      candidate: toCandidate(),
      charter: law,
      terms: new Map(),
    });
    const asked = createEngine(asking, { serial: 7 }).decide(FIGURES);
    expect(less.judge(tenant, FIGURES, asked).obligations).toEqual(asked.obligations);
    expect(less.tally.figures()).toMatchObject({ stricter: 0, looser: 1 });
  });

  it('is asked for its share and no more', () => {
    const canary = beside(narrower, { shareBasisPoints: 500 });
    const plain = own.decide(READ);
    let denied = 0;
    for (let index = 0; index < 20_000; index += 1) {
      if (canary.judge(tenant, READ, plain).outcome === 'deny') denied += 1;
    }
    // Twenty thousand at five per cent: a thousand, with a standard deviation of 31.
    expect(denied).toBeGreaterThan(800);
    expect(denied).toBeLessThan(1_200);
    expect(canary.tally.figures().decided).toBe(denied);
    const never = beside(narrower, { shareBasisPoints: 0 });
    expect(judge(never, READ).outcome).toBe('allow');
  });

  it('makes no new object for two answers that it has put together before', () => {
    const canary = beside(narrower);
    expect(judge(canary, READ)).toBe(judge(canary, READ));
  });
});

describe('a candidate stops by itself', () => {
  it('at its first failure, where none is allowed; what is law has answered', () => {
    const canary = beside(law);
    const plain = own.decide(READ);
    // The terms of this tenant name a purpose that no charter knows.
    expect(canary.judge(other, READ, plain)).toBe(plain);
    expect(canary.tally).toMatchObject({ stoppedBy: 'errors' });
    expect(judge(canary, READ)).toBe(plain);
    expect(canary.tally.figures()).toMatchObject({ decided: 0, errors: 1 });
  });

  it('beyond its share of stricter answers, not before enough were counted', () => {
    const limits = { ...LIMITS, stricterBasisPointsMax: 100, decidedCountMin: 3 };
    const canary = beside(narrower, { limits });
    expect([1, 2, 3, 4].map(() => judge(canary, READ).outcome)).toEqual([
      'deny',
      'deny',
      'deny',
      'allow',
    ]);
    expect(canary.tally.stoppedBy).toBe('stricter');
  });

  it('when it is too slow', () => {
    const clock = createFakeClock();
    const slow = {
      ...clock,
      monotonicMs(): number {
        clock.advance(5);
        return clock.monotonicMs();
      },
    };
    const canary = createCanary({
      clock: slow,
      candidate: toCandidate({ limits: { ...LIMITS, latencyMicrosMax: 1_000 } }),
      charter: law,
      terms: new Map(),
    });
    judge(canary, READ);
    expect(canary.tally.stoppedBy).toBe('latency');
  });

  it('and stays so under a bundle that brings the same candidate again, not under another', () => {
    const limits = { ...LIMITS, stricterBasisPointsMax: 0 };
    const stopped = beside(narrower, { limits });
    judge(stopped, READ);
    const parts = { clock: createFakeClock(), charter: narrower, terms: new Map() };
    const again = createCanary({
      ...parts,
      candidate: toCandidate({ limits }),
      tally: stopped.tally,
    });
    expect(judge(again, READ).outcome).toBe('allow');
    const next = createCanary({
      ...parts,
      candidate: toCandidate({ limits, serial: 9 }),
      tally: stopped.tally,
    });
    expect(judge(next, READ).outcome).toBe('deny');
  });
});
