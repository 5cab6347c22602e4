// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter prove`: what holds for every flow that a charter can express, and what is odd in it.
import process from 'node:process';
import {
  type CharterFinding,
  type CharterProof,
  type CompiledCharter,
  inspectCharter,
  type PropertyProof,
  proveCharter,
} from '@bailiwick/charter';
import { parseDate } from '@bailiwick/kernel';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { Paint } from '../output.ts';
import { load } from './charter.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const DAYS_MAX = 36_500;

/** The instant from which days are counted. */
export function toNowMs(date: unknown): number {
  return date === undefined ? Date.now() : parseDate(String(date));
}

function toDays(text: string): number {
  const days = Number(text);
  if (Number.isInteger(days) && days >= 0 && days <= DAYS_MAX) return days;
  throw new CliError('CLI_USAGE_WRONG', `\`${text}\` is no number of days`, {
    hint: `a whole number from 0 to ${DAYS_MAX}`,
  });
}

/** Runs `bailiwick charter prove <file>`. */
export async function runCharterProve(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const file = argument(args, 0);
  const withinDays = toDays(String(options['days']));
  const nowMs = toNowMs(options['date']);
  const charter = load(file, options);
  const started = performance.now();
  const proof = proveCharter(charter);
  const tookMs = performance.now() - started;
  const findings = inspectCharter(charter, { nowMs, withinDays });
  const value = {
    v: 1,
    file,
    name: charter.name,
    hash: charter.hash,
    holds: proof.holds,
    space: { flows: String(proof.spaceSize.flows), folded: String(proof.spaceSize.folded) },
    tookMs: Math.round(tookMs),
    properties: proof.properties,
    findings,
  };
  output.result(value, () => toText(charter, { proof, findings, tookMs, paint: output.paint }));
  if (!proof.holds) process.exitCode = EXIT.unverified;
}

interface Told {
  readonly proof: CharterProof;
  readonly findings: readonly CharterFinding[];
  readonly tookMs: number;
  readonly paint: Paint;
}

function toText(charter: CompiledCharter, { proof, findings, tookMs, paint }: Told): string {
  const { properties, spaceSize } = proof;
  const broken = properties.filter(({ holds }) => !holds).length;
  const head =
    properties.length === 0
      ? 'no property is declared, so nothing was proved'
      : broken === 0
        ? `${properties.length} of ${properties.length} properties hold for every flow`
        : `${broken} of ${properties.length} properties broken`;
  return [
    `${charter.name}: ${head}`,
    paint(
      'dim',
      `space of ${toShort(spaceSize.flows)} flows, ${toShort(spaceSize.folded)} folded, in ${toSeconds(tookMs)}`,
    ),
    ...properties.flatMap((property) => toPropertyLines(charter, property, paint)),
    ...findings.map(({ kind, words }) => `${kind}: ${words}`),
  ].join('\n');
}

function toPropertyLines(
  charter: CompiledCharter,
  { id, because, holds, witness }: PropertyProof,
  paint: Paint,
): readonly string[] {
  if (holds) return [`${paint('green', 'holds')}   ${id}`];
  const reasons = (witness?.verdict.rules ?? []).flatMap((ruleId) => {
    const rule = charter.rules.find((item) => item.id === ruleId);
    return rule === undefined ? [] : [`  ${rule.id}: ${rule.because} [${rule.source}]`];
  });
  return [
    `${paint('red', 'broken')}  ${id}: ${because}`,
    `  allowed: ${witness?.words ?? ''}`,
    ...reasons,
  ];
}

/** `5.92e21` as people read it; exact while it is short. */
function toShort(count: bigint): string {
  const digits = count.toString();
  if (digits.length <= 6) return Number(count).toLocaleString('en');
  return `${digits[0]}.${digits.slice(1, 3)}e${digits.length - 1}`;
}

function toSeconds(ms: number): string {
  return ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}
