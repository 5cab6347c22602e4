// SPDX-License-Identifier: Apache-2.0
// Transfers: anything that leaves a cell. A transfer is a resource: asked for, decided, transformed,
// delivered, on record on both sides.
import type { NearestFlow, Reason } from '@bailiwick/kernel';
import { FORMS, type Form } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import {
  DELIVERY_DIMENSIONS,
  DELIVERY_MEASURES,
  type DeliveryDimension,
  type DeliveryMeasure,
} from './delivery.ts';
import { FieldNameSchema } from './field.ts';
import { type Where, WhereSchema } from './record.ts';

export const TRANSFER_KINDS = ['copy', 'move', 'aggregate', 'standby', 'export'] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/**
 * `accepted` waits, `prepared` has its signed statement, `delivered` was taken by the destination,
 * `completed` is on record here as well; `refused` by the charter or the destination, `failed` for good.
 */
export const TRANSFER_STATES = [
  'accepted',
  'prepared',
  'delivered',
  'completed',
  'refused',
  'failed',
] as const;
export type TransferState = (typeof TRANSFER_STATES)[number];

/**
 * By itself: the collection's field of that name, or the label's origin (places) and law date (times)
 * where it has none.
 */
export type TransferDimension =
  | DeliveryDimension
  | { readonly dimension: DeliveryDimension; readonly field: string };

/** By itself: the number field of that name. Otherwise a field, or the product of two. */
export type TransferMeasure =
  | DeliveryMeasure
  | { readonly measure: DeliveryMeasure; readonly field: string; readonly times?: string };

/** `POST /v1/transfers` */
export interface TransferRequest {
  readonly kind: TransferKind;
  readonly selection: {
    readonly collection: string;
    /** Conditions on plain fields. */
    readonly where?: Where;
  };
  readonly form: Form;
  readonly destination: { readonly kind: 'cell' | 'control' | 'provider'; readonly id?: string };
  readonly purpose: string;
  readonly mechanism?: string;
  readonly aggregate?: {
    readonly groupBy: readonly TransferDimension[];
    readonly measures: readonly TransferMeasure[];
    readonly minimumCount: number;
  };
}

/** A transfer as it stands. */
export interface TransferAnswer {
  readonly transferId: string;
  readonly kind: TransferKind;
  readonly state: TransferState;
  readonly form: Form;
  readonly destination: { readonly kind: string; readonly id?: string };
  readonly purpose: string;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly attempts: number;
  /** Groups that left, and groups that were too small or would have given a small one away. */
  readonly groupCount?: number;
  readonly suppressedCount?: number;
  /** SHA-256 of the signed statement. */
  readonly statementHash?: string;
  /** The statement itself, as it left. */
  readonly statement?: unknown;
  /** Its entry here, and the destination's where that is a cell. */
  readonly entryId?: string;
  readonly leafHash?: string;
  readonly remoteEntryId?: string;
  readonly remoteLeafHash?: string;
  readonly problem?: {
    readonly code: string;
    readonly detail?: string;
    readonly rules?: readonly string[];
    readonly reasons?: readonly Reason[];
    readonly nearest?: readonly NearestFlow[];
  };
}

const strict = { additionalProperties: false };
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Dimension: TSchema = oneOf(Object.keys(DELIVERY_DIMENSIONS));
const Measure: TSchema = oneOf(DELIVERY_MEASURES);

/** Schema of a `TransferRequest`. */
export const TransferRequestSchema: TSchema = Type.Object(
  {
    kind: oneOf(TRANSFER_KINDS),
    selection: Type.Object({ collection: Name, where: Type.Optional(WhereSchema) }, strict),
    form: oneOf(FORMS),
    destination: Type.Object(
      {
        kind: oneOf(['cell', 'control', 'provider']),
        id: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9/-]*$', maxLength: 80 })),
      },
      strict,
    ),
    purpose: Name,
    mechanism: Type.Optional(Name),
    aggregate: Type.Optional(
      Type.Object(
        {
          groupBy: Type.Array(
            Type.Union([
              Dimension,
              Type.Object({ dimension: Dimension, field: FieldNameSchema }, strict),
            ]),
            { minItems: 1, maxItems: 4 },
          ),
          measures: Type.Array(
            Type.Union([
              Measure,
              Type.Object(
                {
                  measure: Measure,
                  field: FieldNameSchema,
                  times: Type.Optional(FieldNameSchema),
                },
                strict,
              ),
            ]),
            { maxItems: 5 },
          ),
          minimumCount: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
        },
        strict,
      ),
    ),
  },
  strict,
);
