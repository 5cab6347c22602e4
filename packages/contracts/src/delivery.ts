// SPDX-License-Identifier: Apache-2.0
// What leaves a cell as an aggregate, for the control plane or another cell: counts and sums of groups
// that are large enough, under enumerated dimensions. There is no place in it for text of anybody's.
import type { CellId, TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { CellIdSchema, InstantSchema, UuidSchema } from './directory.ts';
import { ContractError, checkWith, parseWith } from './parse-with.ts';

/** DSSE payload type of a `Delivery`. */
export const DELIVERY_PAYLOAD_TYPE = 'application/vnd.bailiwick.delivery.v1+json';

/** Smallest group that may leave a cell, whatever charter and caller say. */
export const DELIVERY_MINIMUM_COUNT = 10;
/** Most groups of one delivery. */
export const DELIVERY_GROUPS_COUNT_MAX = 10_000;

/** Most records of one person in a figure, where the request asks for no fewer. */
export const CONTRIBUTION_COUNT_MAX = 10_000;
/** A month, a quarter or a year: `2026-01`, `2026-q1`, `2026`. */
export const FIGURES_PERIOD = '^\\d{4}(?:-(?:0[1-9]|1[0-2])|-q[1-4])?$';

/** What groups may be formed by, and the form of its values. */
export const DELIVERY_DIMENSIONS = {
  country: '^[a-z]{2}$',
  subdivision: '^[a-z]{2}-[a-z0-9]{1,3}$',
  residency: '^[a-z]{2}-[a-z0-9]{2,8}$',
  year: '^\\d{4}$',
  quarter: '^\\d{4}-q[1-4]$',
  month: '^\\d{4}-(?:0[1-9]|1[0-2])$',
  currency: '^[A-Z]{3}$',
  /** A histogram's class: `b0` is below the first edge, `b1` from it on, and so forth. */
  bucket: '^b\\d{1,2}$',
} as const;
export type DeliveryDimension = keyof typeof DELIVERY_DIMENSIONS;

/** What may be summed up; a count is always there. */
export const DELIVERY_MEASURES = ['amount', 'quantity', 'total', 'duration', 'size'] as const;
export type DeliveryMeasure = (typeof DELIVERY_MEASURES)[number];

/** One group: its values in the order of `groupBy`, how many, and the sums in the order of `measures`. */
export interface DeliveryGroup {
  readonly values: readonly string[];
  readonly count: number;
  readonly sums: readonly number[];
}

/** An aggregate that a cell computed, decided on and signed. */
export interface Delivery {
  readonly v: 1;
  /** The transfer's id: a second delivery with it changes nothing. */
  readonly deliveryId: string;
  readonly from: CellId;
  readonly tenantId: TenantId;
  /** What was counted: a collection's name, letters and hyphens only. */
  readonly series: string;
  readonly purpose: string;
  readonly at: string;
  readonly minimumCount: number;
  readonly groupBy: readonly DeliveryDimension[];
  readonly measures: readonly DeliveryMeasure[];
  /** Calendar period that is counted; absent: all there is. */
  readonly period?: string;
  /** Most records of one person that are counted. */
  readonly contributionMax?: number;
  /** Edges of the histogram's classes, rising. */
  readonly edges?: readonly number[];
  readonly groups: readonly DeliveryGroup[];
}

const strict = { additionalProperties: false };
const WordSchema: TSchema = Type.String({ pattern: '^[a-z]+(?:-[a-z]+){0,3}$', maxLength: 32 });

function toLiterals(names: readonly string[]): TSchema {
  return Type.Union(names.map((name) => Type.Literal(name)));
}

/** Schema of a `Delivery`; `parseDelivery` checks the values against their dimensions too. */
export const DeliverySchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    deliveryId: UuidSchema,
    from: CellIdSchema,
    tenantId: UuidSchema,
    series: WordSchema,
    purpose: WordSchema,
    at: InstantSchema,
    minimumCount: Type.Integer({ minimum: DELIVERY_MINIMUM_COUNT, maximum: 1_000_000 }),
    groupBy: Type.Array(toLiterals(Object.keys(DELIVERY_DIMENSIONS)), {
      minItems: 1,
      maxItems: 4,
      uniqueItems: true,
    }),
    measures: Type.Array(toLiterals(DELIVERY_MEASURES), { maxItems: 5, uniqueItems: true }),
    period: Type.Optional(Type.String({ pattern: FIGURES_PERIOD, maxLength: 7 })),
    contributionMax: Type.Optional(Type.Integer({ minimum: 1, maximum: CONTRIBUTION_COUNT_MAX })),
    edges: Type.Optional(
      Type.Array(Type.Number({ minimum: -1e15, maximum: 1e15 }), { minItems: 1, maxItems: 99 }),
    ),
    groups: Type.Array(
      Type.Object(
        {
          values: Type.Array(Type.String({ maxLength: 16 }), { minItems: 1, maxItems: 4 }),
          count: Type.Integer({ minimum: DELIVERY_MINIMUM_COUNT, maximum: 1_000_000_000 }),
          sums: Type.Array(Type.Number({ minimum: -1e15, maximum: 1e15 }), { maxItems: 5 }),
        },
        strict,
      ),
      { maxItems: DELIVERY_GROUPS_COUNT_MAX },
    ),
  },
  strict,
);

const PATTERNS: ReadonlyMap<string, RegExp> = new Map(
  Object.entries(DELIVERY_DIMENSIONS).map(([name, pattern]) => [name, new RegExp(pattern)]),
);

function refuse(pointer: string, problem: string): never {
  throw new ContractError(
    'CONTRACT_VALUE_INVALID',
    `not a valid delivery: at \`${pointer}\`: ${problem}`,
    { details: { pointer } },
  );
}

/** Checks what a schema cannot say: each value has its dimension's form, each group comes once. */
function checkGroups(delivery: Delivery): Delivery {
  const seen = new Set<string>();
  for (const [index, { values, count, sums }] of delivery.groups.entries()) {
    const pointer = `/groups/${index}`;
    if (values.length !== delivery.groupBy.length) refuse(pointer, 'expected a value a dimension');
    if (sums.length !== delivery.measures.length) refuse(pointer, 'expected a sum a measure');
    if (count < delivery.minimumCount) refuse(pointer, 'expected a larger group');
    for (const [position, value] of values.entries()) {
      const dimension = delivery.groupBy[position] ?? '';
      if (PATTERNS.get(dimension)?.test(value) !== true) {
        refuse(`${pointer}/values/${position}`, `expected the form of \`${dimension}\``);
      }
    }
    const key = values.join(' ');
    // Two groups of one key would let a reader subtract one from the other.
    if (seen.has(key)) refuse(pointer, 'expected each group once');
    seen.add(key);
  }
  return delivery;
}

/** Reads a delivery out of a verified envelope's payload. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseDelivery(payload: Uint8Array): Delivery {
  return checkGroups(parseWith(DeliverySchema, payload, 'delivery') as Delivery);
}

/** Checks a delivery before it is signed. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function checkDelivery(value: unknown): Delivery {
  return checkGroups(checkWith(DeliverySchema, value, 'delivery') as Delivery);
}
