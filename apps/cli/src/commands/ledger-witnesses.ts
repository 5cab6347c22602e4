// SPDX-License-Identifier: Apache-2.0
// What witnesses say about an export's checkpoint, judged under a policy and offline.
import {
  type CosignedTime,
  findBeliedWitnesses,
  inspectWitnessed,
  LedgerError,
  type TlogPolicy,
  type Voice,
  type Witnessed,
} from '@bailiwick/ledger/verify';

/** A policy's judgement; `voices` are independent of each other, the witnesses of one are not. */
export interface WitnessReport {
  readonly isQuorumMet: boolean;
  readonly quorum: string;
  readonly witnesses: readonly { readonly name: string; readonly at: string }[];
  readonly independentCount: number;
  readonly voices: readonly Voice[];
  /** Why less was counted than is there. */
  readonly problems: readonly string[];
  /** Times between which entries' instants must lie. */
  readonly cosigned: readonly CosignedTime[];
}

/** Judges a checkpoint, and where there is one an earlier checkpoint for its times. */
export function judgeWitnesses(
  checkpoint: Uint8Array,
  options: {
    readonly policy: TlogPolicy;
    readonly earlier: Uint8Array | undefined;
    readonly nowSeconds: number;
  },
): WitnessReport {
  const { policy, earlier, nowSeconds } = options;
  const problems: string[] = [];
  const inspect = (note: Uint8Array, what: string): Witnessed | undefined => {
    try {
      return inspectWitnessed(note, policy, { nowSeconds });
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      problems.push(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const now = inspect(checkpoint, 'checkpoint');
  const before = earlier === undefined ? undefined : inspect(earlier, 'earlier checkpoint');
  const belied = now === undefined || before === undefined ? [] : findBeliedWitnesses(before, now);
  problems.push(...belied.map((name) => `witness \`${name}\` belies its own earlier time`));
  return {
    isQuorumMet: now?.isQuorumMet === true && belied.length === 0,
    quorum: policy.quorum,
    witnesses: (now?.witnesses ?? []).map(({ name, atSeconds }) => ({
      name,
      at: new Date(atSeconds * 1000).toISOString(),
    })),
    independentCount: now?.voices.length ?? 0,
    voices: now?.voices ?? [],
    problems,
    cosigned: [now, before].flatMap(toTimes),
  };
}

function toTimes(witnessed: Witnessed | undefined): readonly CosignedTime[] {
  if (witnessed === undefined) return [];
  const { size } = witnessed.checkpoint;
  return witnessed.witnesses.map(({ atSeconds }) => ({ size, atSeconds }));
}

/** The judgement in words. */
export function toWitnessText(report: WitnessReport): string {
  const { isQuorumMet, quorum, witnesses, independentCount, voices, problems } = report;
  const cosigned = `${witnesses.length} ${witnesses.length === 1 ? 'witness' : 'witnesses'}`;
  return [
    `quorum \`${quorum}\` ${isQuorumMet ? 'met' : 'NOT met'}: ${cosigned}, ${independentCount} independent`,
    ...voices.map(
      ({ name, witnesses: own }) =>
        `  ${name}: ${own.map((one) => `${one} at ${toAt(report, one)}`).join(', ')}`,
    ),
    ...problems.map((problem) => `  ${problem}`),
  ].join('\n');
}

function toAt({ witnesses }: WitnessReport, name: string): string {
  return witnesses.find((witness) => witness.name === name)?.at ?? '';
}
