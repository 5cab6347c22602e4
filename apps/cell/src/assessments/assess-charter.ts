// SPDX-License-Identifier: Apache-2.0
// What a charter would mean for what lies here: records that may not stay, flows of theirs that stop,
// transfers that are under way. Everything is counted inside; opening nothing and changing nothing.
import { type CompiledCharter, diffCharters, type FlowDifference } from '@bailiwick/charter';
import type { AssessedFlow, AssessedViolation, AssessmentAnswer } from '@bailiwick/contracts';
import { isCoded, type TenantId } from '@bailiwick/kernel';
import { createEngine, createRestJudge, type Engine, type RestJudge } from '@bailiwick/policy';
import { toFlow } from '../enforcement/enforcement.ts';
import type { CellRuntime } from '../runtime.ts';
import { toFlows } from '../transfers/decide-transfer.ts';
import { understandTransfer } from '../transfers/request-transfer.ts';
import { listOpenTransfers } from '../transfers/transfer-store.ts';
import { countStoredLabels, type StoredLabels } from './stored-labels.ts';

/** Flows told at most; the rest is in `charter diff`. */
const FLOWS_COUNT_MAX = 100;

interface Charters {
  readonly before: CompiledCharter;
  readonly after: CompiledCharter;
}

interface Judges {
  readonly engines: { readonly before: Engine; readonly after: Engine };
  readonly rest: { readonly before: RestJudge; readonly after: RestJudge };
}

/** Assesses a charter against another over everything stored here. */
export async function assessCharter(
  runtime: CellRuntime,
  charters: Charters,
): Promise<AssessmentAnswer> {
  const tally = new Tally(findNarrowings(charters));
  const termsUnfit: TenantId[] = [];
  const transfers: { tenantId: TenantId; count: number }[] = [];
  const tenants = runtime.law.current().bundle.tenants;
  for (const { tenantId } of tenants) {
    const judges = createJudges(runtime, charters, tenantId);
    if (judges === undefined) {
      termsUnfit.push(tenantId);
      continue;
    }
    for (const stored of await countStoredLabels(runtime, tenantId)) {
      tally.add(tenantId, stored, judges);
    }
    const count = await countStopped(runtime, tenantId, judges);
    if (count > 0) transfers.push({ tenantId, count });
  }
  return {
    v: 1,
    cell: runtime.cellId,
    before: { hash: charters.before.hash },
    after: { hash: charters.after.hash },
    records: tally.records,
    tenants: tenants.length,
    termsUnfit,
    violations: tally.violations(),
    flows: tally.flows(),
    transfers,
  };
}

/** Spaces too large to compare leave the records and transfers to be told without the words. */
function findNarrowings({ before, after }: Charters): readonly FlowDifference[] {
  try {
    return diffCharters(before, after).narrowings.slice(0, FLOWS_COUNT_MAX);
  } catch (error) {
    if (!isCoded(error, 'CHARTER_SPACE_TOO_LARGE')) throw error;
    return [];
  }
}

function createJudges(
  runtime: CellRuntime,
  { before, after }: Charters,
  tenantId: TenantId,
): Judges | undefined {
  const { cellId, clock, law } = runtime;
  const terms = law.current().termsOf(tenantId);
  const options = {
    ...{ cellId, serial: 1, atMs: clock.nowMs() },
    ...(terms === undefined ? {} : { terms }),
  };
  try {
    return {
      engines: { before: createEngine(before, options), after: createEngine(after, options) },
      rest: { before: createRestJudge(before, options), after: createRestJudge(after, options) },
    };
  } catch (error) {
    if (!isCoded(error, 'CHARTER_TERMS_INVALID')) throw error;
    return undefined;
  }
}

async function countStopped(
  runtime: CellRuntime,
  tenantId: TenantId,
  { engines }: Judges,
): Promise<number> {
  let count = 0;
  for (const { credential, request } of await listOpenTransfers(runtime.database, tenantId)) {
    const understood = await understandTransfer(runtime, credential, request);
    const { requests } = toFlows(runtime, { credential, request, ...understood });
    const flows = requests.map((one) => toFlow(runtime, credential, one));
    const isStopped = flows.some(
      (flow) =>
        engines.before.decide(flow).outcome === 'allow' &&
        engines.after.decide(flow).outcome === 'deny',
    );
    if (isStopped) count += 1;
  }
  return count;
}

interface Counted {
  readonly told: Omit<AssessedViolation, 'records' | 'tenants' | 'remedy'> & {
    readonly remedy: Omit<AssessedViolation['remedy'], 'origins'>;
  };
  records: number;
  readonly tenants: Set<TenantId>;
  readonly origins: Set<string>;
}

class Tally {
  records = 0;
  readonly #violations = new Map<string, Counted>();
  readonly #flows: readonly {
    readonly difference: FlowDifference;
    readonly tenants: Set<TenantId>;
    records: number;
  }[];

  constructor(narrowings: readonly FlowDifference[]) {
    this.#flows = narrowings.map((difference) => ({ difference, tenants: new Set(), records: 0 }));
  }

  add(tenantId: TenantId, { records, data }: StoredLabels, { engines, rest }: Judges): void {
    this.records += records;
    for (const one of data) {
      const problem = rest.after(one);
      if (problem === undefined) continue;
      const { kind, rules, because, remedy } = problem;
      const isNew = rest.before(one)?.kind !== kind;
      const told = { class: one.class, kind, rules, because, isNew, remedy };
      const key = JSON.stringify(told);
      const counted = this.#violations.get(key) ?? newCount(told);
      this.#violations.set(key, counted);
      counted.records += records;
      counted.tenants.add(tenantId);
      counted.origins.add(one.origin);
    }
    for (const flow of this.#flows) {
      const isTouched = data.some((one) => flips(engines, flow.difference, one));
      if (!isTouched) continue;
      flow.records += records;
      flow.tenants.add(tenantId);
    }
  }

  violations(): readonly AssessedViolation[] {
    return [...this.#violations.values()]
      .map(({ told, records, tenants, origins }) => ({
        ...told,
        records,
        tenants: tenants.size,
        remedy: { ...told.remedy, origins: [...origins].sort() },
      }))
      .sort((a, b) => b.records - a.records);
  }

  flows(): readonly AssessedFlow[] {
    return this.#flows
      .filter(({ records }) => records > 0)
      .map(({ difference, tenants, records }) => ({
        words: difference.words,
        before: difference.before.rules,
        after: difference.after.rules,
        records,
        tenants: [...tenants].sort(),
      }))
      .sort((a, b) => b.records - a.records);
  }
}

const newCount = (told: Counted['told']): Counted => ({
  told,
  records: 0,
  tenants: new Set(),
  origins: new Set(),
});

/** True when the flow, with this data in it, was allowed and is no more. */
function flips(
  engines: Judges['engines'],
  { flow }: FlowDifference,
  data: StoredLabels['data'][number],
): boolean {
  const own = { ...flow, data };
  return (
    engines.before.decide(own).outcome === 'allow' && engines.after.decide(own).outcome === 'deny'
  );
}
