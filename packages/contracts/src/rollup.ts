// SPDX-License-Identifier: Apache-2.0
// Counters that a cell tells the control plane: of the whole cell, by the minute, from a closed list.
import { type TSchema, Type } from 'typebox';
import { checkWith } from './parse-with.ts';

/** Everything that is counted for the middle. Nothing per tenant, account or route. */
export const ROLLUP_COUNTERS = [
  'decisions-allowed',
  'decisions-denied',
  'records-written',
  'records-read',
  'records-deleted',
  'records-refused',
  'seals',
  'openings',
  'transfers',
  'entries',
  'erasures',
  'key-actions',
  'misdirected',
  'late-releases',
] as const;
export type RollupCounter = (typeof ROLLUP_COUNTERS)[number];

/** Counters of one period of a cell. Sent again, it replaces what was sent before. */
export interface Rollup {
  readonly v: 1;
  /** RFC 3339 at a full minute. */
  readonly periodStart: string;
  readonly periodMs: 60_000;
  readonly counters: Readonly<Partial<Record<RollupCounter, number>>>;
}

const CountSchema: TSchema = Type.Integer({ minimum: 0, maximum: 1_000_000_000 });

/** Schema of a `Rollup`. */
export const RollupSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    periodStart: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:00(?:\\.000)?Z$' }),
    periodMs: Type.Literal(60_000),
    counters: Type.Object(
      Object.fromEntries(ROLLUP_COUNTERS.map((name) => [name, Type.Optional(CountSchema)])),
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);

/** Reads a rollup. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseRollup(value: unknown): Rollup {
  return checkWith(RollupSchema, value, 'rollup') as Rollup;
}
