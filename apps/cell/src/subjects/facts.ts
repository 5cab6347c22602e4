// SPDX-License-Identifier: Apache-2.0
// What is stored of a person beside their records: facts, never conclusions. The charter in force derives
// from them what may be done (DESIGN, "Label and flow").
import type { KeyObject } from 'node:crypto';
import { hash } from 'node:crypto';
import {
  type Json,
  parseSubjectId,
  type SubjectId,
  type TenantId,
  toCanonicalJson,
} from '@bailiwick/kernel';
import { macFacts, verifyFacts } from '@bailiwick/keys';

/** Events that retention counts from. */
export const SUBJECT_EVENTS = ['last-activity', 'contract-end'] as const;
export type SubjectEvent = (typeof SUBJECT_EVENTS)[number];

/** Stands for all of a tenant's data, where a hold is about collections and not about a person. */
export const WHOLE_TENANT: SubjectId = parseSubjectId('00000000-0000-8000-8000-000000000001');

/** Somebody has ordered that something be kept. Absent lists: all of them. */
export interface HoldFacts {
  readonly holdId: string;
  /** File number and the like; never a name. */
  readonly reference: string;
  readonly collections?: readonly string[];
  readonly categories?: readonly string[];
  /** RFC 3339. */
  readonly placedAt: string;
}

export interface SubjectFacts {
  /** By purpose: the newest word of the person. */
  readonly consents: Readonly<
    Record<string, { readonly state: 'given' | 'withdrawn'; readonly at: string }>
  >;
  readonly objections: Readonly<Record<string, { readonly at: string }>>;
  readonly restriction?: { readonly ground: string; readonly at: string };
  readonly holds: readonly HoldFacts[];
  readonly events: Readonly<Partial<Record<SubjectEvent, string>>>;
  /** How many people of this name have been erased: who comes back is a new subject. */
  readonly generation: number;
  /** Subjects under which lies what had to be kept of those. */
  readonly remainders: readonly SubjectId[];
}

export const NO_FACTS: SubjectFacts = {
  consents: {},
  objections: {},
  holds: [],
  events: {},
  generation: 0,
  remainders: [],
};

/** Canonical JSON of facts. */
export function toFactsText(facts: SubjectFacts): string {
  return toCanonicalJson(JSON.parse(JSON.stringify(facts)) as Json);
}

/** Reads facts that have verified. */
function parseFactsText(text: string): SubjectFacts {
  return { ...NO_FACTS, ...(JSON.parse(text) as Partial<SubjectFacts>) };
}

/** SHA-256 of facts, lower-case hex, as entries carry it. */
export function digestFacts(text: string): string {
  return hash('sha256', `bailiwick/standing/v1\0${text}`, 'hex');
}

interface Place {
  readonly tenantId: TenantId;
  readonly subjectId: SubjectId;
  readonly serial: number;
}

const toCovered = ({ tenantId, subjectId }: Place, text: string): string =>
  `{"standing":${text},"subject":"${subjectId}","tenant":"${tenantId}"}`;

/** MAC over facts, bound to the person and the serial. */
export function macStanding(factsKey: KeyObject, place: Place, text: string): Buffer {
  return macFacts(factsKey, [], place.serial, toCovered(place, text));
}

/** @throws {KeysError} `KEYS_FACTS_UNVERIFIED` */
export function verifyStanding(
  factsKey: KeyObject,
  row: Place & { readonly text: string; readonly mac: Buffer },
): SubjectFacts {
  verifyFacts(factsKey, {
    sealDigests: [],
    serial: row.serial,
    canonicalFacts: toCovered(row, row.text),
    mac: row.mac,
  });
  return parseFactsText(row.text);
}
