// SPDX-License-Identifier: Apache-2.0
// Deciding: from attribute strings to a decision with its rule ids, beside Cedar on the same charter and
// the same flows. Cedar gets its policies parsed ahead, everything in the context and no entities, and is
// spared the policies that refuse unknown values.

import { hash } from 'node:crypto';
import { createRequire } from 'node:module';
import { type CompiledCharter, compileCharter, parseCharter, toCedar } from '@bailiwick/charter';
import type { Flow } from '@bailiwick/kernel';
import { createEngine, type Engine } from '@bailiwick/policy';
import { stringify } from 'yaml';
import {
  type BenchDocument,
  type BenchResult,
  measureRate,
  measureRounds,
  toBenchDocument,
} from './document.ts';
import {
  compileText,
  createLargeCharter,
  createMixture,
  createRandomFlows,
  retailerText,
} from './policy-flows.ts';

type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs');

/** A power of two; few enough to be in the caches, as a flow that was just built is. */
const FLOW_COUNT = 256;
const POLICY_SET = 'retailer';
const ROUND_MS = 300;

function loadCedar(): Cedar {
  return createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs');
}

/** A flow of one category and one regime as a Cedar request. */
function toRequest(flow: Flow): Parameters<Cedar['statefulIsAuthorized']>[0] {
  return {
    principal: { type: 'Bailiwick::Actor', id: 'flow' },
    action: { type: 'Bailiwick::Action', id: flow.action },
    resource: { type: 'Bailiwick::Data', id: 'flow' },
    context: {
      actor: { ...flow.actor },
      data: {
        class: flow.data.class,
        category: flow.data.categories[0] ?? 'none',
        regime: flow.data.regimes[0] ?? 'none',
        origin: flow.data.origin,
        residency: flow.data.residency,
      },
      form: flow.form,
      to: {
        kind: flow.to.kind,
        id: flow.to.id ?? 'none',
        location: flow.to.location,
        operator: flow.to.operator,
      },
      purpose: flow.purpose,
      mechanism: flow.mechanism ?? 'none',
      consent: flow.consent,
      given: [...flow.conditions],
      at: flow.atMs,
    },
    preparsedPolicySetId: POLICY_SET,
    entities: [],
  };
}

/** The sum of what was decided is kept, so that nothing can be left out. */
let sink = 0;

function createRate(engine: Engine, flows: readonly Flow[]): () => number {
  const last = flows.length - 1;
  const work = (count: number): void => {
    let rules = 0;
    for (let index = 0; index < count; index += 1) {
      const flow = flows[index & last];
      if (flow) rules += engine.decide(flow).rules.length;
    }
    sink += rules;
  };
  return () => measureRate(work, ROUND_MS);
}

function createExplainRate(engine: Engine, flows: readonly Flow[]): () => number {
  const denied = flows.filter((flow) => engine.decide(flow).outcome === 'deny');
  return () =>
    measureRate((count) => {
      for (let index = 0; index < count; index += 1) {
        const flow = denied[index % denied.length];
        if (flow) sink += engine.explain(flow).decision.nearest.length;
      }
    }, ROUND_MS);
}

function createCedarRate(
  charter: CompiledCharter,
  flows: readonly Flow[],
  engine: Engine,
): () => number {
  const cedar = loadCedar();
  const parsed = cedar.preparsePolicySet(POLICY_SET, {
    staticPolicies: { ...toCedar(charter).policiesById },
  });
  if (parsed.type !== 'success') throw new Error('assertion failed: the Cedar text parses');
  const requests = flows.map(toRequest);
  requests.forEach((request, index) => {
    const answer = cedar.statefulIsAuthorized(request);
    const flow = flows[index];
    const ours = flow && engine.decide(flow).outcome;
    const theirs = answer.type === 'success' ? answer.response.decision : 'error';
    if (ours !== theirs) throw new Error('assertion failed: both sides decide alike');
  });
  return () =>
    measureRate((count) => {
      for (let index = 0; index < count; index += 1) {
        const request = requests[index & (requests.length - 1)];
        if (request) sink += cedar.statefulIsAuthorized(request).type === 'success' ? 1 : 0;
      }
    }, ROUND_MS);
}

async function compare(options: {
  readonly id: string;
  readonly what: string;
  readonly ours: () => number;
  readonly baseline: { readonly name: string; readonly rate: () => number };
  readonly unit?: string;
}): Promise<BenchResult> {
  const { id, what, ours, baseline, unit = 'op/s' } = options;
  const measured = await measureRounds({ ours, baseline: baseline.rate });
  return {
    id,
    what,
    unit,
    value: measured.value,
    baseline: { name: baseline.name, value: measured.baseline },
    ratio: measured.ratio,
  };
}

/** Milliseconds from YAML text to an engine that decides. */
function measureCompileMs(text: string): number {
  const started = performance.now();
  const charter = compileCharter(parseCharter(text), {
    sha256: (input) => hash('sha256', input, 'hex'),
  });
  createEngine(charter, { serial: 1 });
  return performance.now() - started;
}

/** Runs the suite. */
export async function run(): Promise<BenchDocument> {
  const charter = compileText(retailerText());
  const engine = createEngine(charter, { serial: 1 });
  const flows = createMixture(charter, FLOW_COUNT, 7);
  const random = createRandomFlows(charter, FLOW_COUNT, 7);
  const largeText = stringify(createLargeCharter(300, 7));
  const large = createEngine(compileText(largeText), { serial: 1 });
  const retailer = retailerText();
  const cedar = {
    name: `cedar-wasm, policies parsed ahead, ${charter.rules.length} rules`,
    rate: createCedarRate(charter, flows, engine),
  };
  const warm = `${FLOW_COUNT} flows in turn, from attribute strings, rule ids kept, one warm-up round`;
  const ours = createRate(engine, flows);
  const results = [
    await compare({
      id: 'policy.decide',
      what: `retailer charter (${charter.rules.length} rules), a cell’s day: ${warm}`,
      ours,
      baseline: cedar,
    }),
    await compare({
      id: 'policy.decide.300',
      what: `300 rules, the same flows: ${warm}`,
      ours: createRate(large, flows),
      baseline: { name: 'policy.decide with the retailer charter', rate: ours },
    }),
    await compare({
      id: 'policy.decide.random',
      what: `retailer charter, every attribute at random: ${warm}`,
      ours: createRate(engine, random),
      baseline: { name: 'policy.decide with the retailer charter', rate: ours },
    }),
    await compare({
      id: 'policy.explain',
      what: 'nearest allowed flows of the denied ones among them',
      ours: createExplainRate(engine, flows),
      baseline: { name: 'policy.decide with the retailer charter', rate: ours },
    }),
    await compare({
      id: 'policy.compile.300',
      what: 'YAML text of 300 rules to an engine, warm',
      unit: 'ms',
      ours: () => measureCompileMs(largeText),
      baseline: { name: 'the retailer charter', rate: () => measureCompileMs(retailer) },
    }),
  ];
  if (!Number.isFinite(sink)) throw new Error('assertion failed: something was decided');
  return toBenchDocument('policy', results);
}
