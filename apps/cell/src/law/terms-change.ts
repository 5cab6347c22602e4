// SPDX-License-Identifier: Apache-2.0
// Whether new contract terms are at least as narrow as the old ones. Read from their structure: each list
// may only lose members, each limit only fall, each prohibition must stay. Anything not understood counts
// as wider, so that it needs approval.
import type { ContractTerms } from '@bailiwick/charter';
import { type Json, toCanonicalJson } from '@bailiwick/kernel';

const LISTS = ['residencies', 'supportPlaces', 'purposes', 'standbyCells'] as const;
const LIMITS = ['keyStalenessMsMax', 'freshForMsMax'] as const;
const KNOWN: readonly string[] = [
  'terms',
  'version',
  ...LISTS,
  ...LIMITS,
  'retentionDaysMax',
  'keyCustody',
  'identity',
  'forbid',
];
const CUSTODY = ['cell', 'customer', 'hold-your-own'] as const;

const toText = (value: unknown): string => toCanonicalJson(parseJson(value));

/** Terms came out of a JSON parser: they are JSON by construction. */
function parseJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value ?? null)) as Json;
}

/** True when nothing becomes possible that was not before. */
export function isNarrower(before: ContractTerms, after: ContractTerms): boolean {
  if (Object.keys(after).some((key) => !KNOWN.includes(key))) return false;
  return (
    LISTS.every((key) => isListNarrower(before[key], after[key])) &&
    LIMITS.every((key) => isLimitNarrower(before[key], after[key])) &&
    isRetentionNarrower(before, after) &&
    isCustodyNarrower(before, after) &&
    // Another identity provider lets other people in: never merely narrower.
    toText(before.identity) === toText(after.identity) &&
    isForbidNarrower(before, after)
  );
}

function isListNarrower(
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
): boolean {
  if (before === undefined) return true;
  return after?.every((item) => before.includes(item)) === true;
}

function isLimitNarrower(before: number | undefined, after: number | undefined): boolean {
  if (before === undefined) return true;
  return after !== undefined && after <= before;
}

function isRetentionNarrower(before: ContractTerms, after: ContractTerms): boolean {
  return Object.entries(before.retentionDaysMax ?? {}).every(([category, days]) =>
    isLimitNarrower(days, after.retentionDaysMax?.[category]),
  );
}

function isCustodyNarrower(before: ContractTerms, after: ContractTerms): boolean {
  const rank = (custody: ContractTerms['keyCustody']): number =>
    custody === undefined ? 0 : CUSTODY.indexOf(custody);
  return rank(after.keyCustody) >= rank(before.keyCustody);
}

function isForbidNarrower(before: ContractTerms, after: ContractTerms): boolean {
  const kept = new Set((after.forbid ?? []).map(toText));
  return (before.forbid ?? []).every((clause) => kept.has(toText(clause)));
}
