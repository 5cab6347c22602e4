// SPDX-License-Identifier: Apache-2.0
// Transfers: anything that leaves a cell. A transfer is a resource: asked for, decided, transformed,
// delivered, on record on both sides.
import type { NearestFlow, Reason } from '@bailiwick/kernel';
import { FORMS, type Form } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import {
  CONTRIBUTION_COUNT_MAX,
  DELIVERY_DIMENSIONS,
  DELIVERY_MEASURES,
  type DeliveryDimension,
  type DeliveryMeasure,
  FIGURES_PERIOD,
} from './delivery.ts';
import {
  CellIdSchema,
  EnvelopeSchema,
  InstantSchema,
  Sha256Schema,
  UuidSchema,
} from './directory.ts';
import { FieldNameSchema } from './field.ts';
import { parseWith } from './parse-with.ts';
import { type Where, WhereSchema } from './record.ts';

export const TRANSFER_KINDS = ['copy', 'move', 'aggregate', 'standby', 'export'] as const;
export type TransferKind = (typeof TRANSFER_KINDS)[number];

/**
 * `awaiting-approval` lacks a signature that the charter asks for; `accepted` waits; `running` goes chunk
 * by chunk; `prepared` has its signed statement, `delivered` was taken by the destination, `completed` is
 * on record here as well; `refused` by the charter or the destination, `stopped` by somebody, `failed` for
 * good.
 */
export const TRANSFER_STATES = [
  'awaiting-approval',
  'accepted',
  'running',
  'prepared',
  'delivered',
  'completed',
  'refused',
  'stopped',
  'failed',
] as const;
export type TransferState = (typeof TRANSFER_STATES)[number];

/**
 * By itself: the collection's field of that name, or the label's origin (places) and law date (times)
 * where it has none.
 */
export type TransferDimension =
  | DeliveryDimension
  | {
      readonly dimension: DeliveryDimension;
      readonly field: string;
      /** For `bucket`: rising edges of a histogram over a number field. */
      readonly edges?: readonly number[];
    };

/** By itself: the number field of that name. Otherwise a field, or the product of two. */
export type TransferMeasure =
  | DeliveryMeasure
  | {
      readonly measure: DeliveryMeasure;
      readonly field: string;
      readonly times?: string;
      /** What one record adds is cut to these. */
      readonly min?: number;
      readonly max?: number;
    };

/** The paper behind a mechanism: its file number and who has signed it. Never a person. */
export interface TransferInstrument {
  readonly reference: string;
  /** Companies, exporter first. */
  readonly parties: readonly string[];
}

/** `POST /v1/transfers` */
export interface TransferRequest {
  readonly kind: TransferKind;
  readonly selection: {
    readonly collection: string;
    /** Conditions on plain fields. */
    readonly where?: Where;
    /** Fields that go along; default all of the collection. */
    readonly fields?: readonly string[];
  };
  readonly form: Form;
  readonly destination: { readonly kind: 'cell' | 'control' | 'provider'; readonly id?: string };
  readonly purpose: string;
  readonly mechanism?: string;
  /** Needed for copies and exports under a mechanism. */
  readonly instrument?: TransferInstrument;
  readonly aggregate?: {
    readonly groupBy: readonly TransferDimension[];
    readonly measures: readonly TransferMeasure[];
    readonly minimumCount: number;
    /** Records of one person that count, at most. */
    readonly contributionMax?: number;
    /** A month, quarter or year that has ended: what of it leaves, leaves once and in one shape. */
    readonly period?: string;
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
  readonly mechanism?: string;
  readonly instrument?: TransferInstrument;
  /** What the charter wants signed and is not yet. */
  readonly missingApprovals?: readonly string[];
  /** What an approval names besides the transfer. */
  readonly approvalPlace?: { readonly cell: string; readonly tenantId: string };
  /** SHA-256 of the request, which an approval names. */
  readonly requestHash?: string;
  /** Of a copy or an export: chunks and records that left. */
  readonly chunkCount?: number;
  readonly recordCount?: number;
  /** Records of people who have not consented, have objected, or whom an order or restriction names. */
  readonly withheldCount?: number;
  /** Records that are not what was written, or whose person was erased. */
  readonly leftOutCount?: number;
  /** Hash chain over the chunks, the same in both cells. */
  readonly digest?: string;
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

/** What becomes of a field on its way. */
export const FIELD_TREATMENTS = ['as-it-is', 'pseudonym', 'left-out'] as const;
export type FieldTreatment = (typeof FIELD_TREATMENTS)[number];

/** `POST /v1/transfers/previews`: what would go, in counts and shapes, never in values. */
export interface TransferPreview {
  readonly outcome: 'allowed' | 'needs-approval' | 'denied';
  readonly requestHash: string;
  readonly missingApprovals: readonly string[];
  /** True: only records of people who have consented to the purpose go along. */
  readonly needsConsent: boolean;
  readonly rules: readonly string[];
  readonly obligations: readonly string[];
  readonly destination: {
    readonly kind: string;
    readonly id?: string;
    readonly location: string;
    readonly operator: string;
  };
  readonly counts: {
    readonly records: number;
    readonly people: number;
    /** Records whose person's standing would keep them here. */
    readonly withheld: number;
    readonly chunks: number;
    readonly sizeBytes: number;
  };
  readonly labels: readonly {
    readonly origin: string;
    readonly regimes: readonly string[];
    readonly records: number;
  }[];
  readonly shape: readonly {
    readonly field: string;
    readonly type: string;
    readonly class: string;
    readonly category: string;
    readonly treatment: FieldTreatment;
  }[];
  readonly problem?: TransferAnswer['problem'];
}

/** DSSE payload type of a `TransferApproval`. */
export const TRANSFER_APPROVAL_PAYLOAD_TYPE = 'application/vnd.bailiwick.transfer-approval.v1+json';

/** Signed by a key of the place that the data would leave: one request, one cell, nothing else. */
export interface TransferApproval {
  readonly v: 1;
  readonly cell: string;
  readonly tenantId: string;
  readonly transferId: string;
  readonly requestHash: string;
  readonly approvedAt: string;
}

const strict = { additionalProperties: false };
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Dimension: TSchema = oneOf(Object.keys(DELIVERY_DIMENSIONS));
const Measure: TSchema = oneOf(DELIVERY_MEASURES);

const InstrumentSchema: TSchema = Type.Object(
  {
    reference: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9 ./:_#()-]*$', maxLength: 120 }),
    parties: Type.Array(Type.String({ minLength: 2, maxLength: 120 }), {
      minItems: 2,
      maxItems: 8,
      uniqueItems: true,
    }),
  },
  strict,
);

/** Schema of a `TransferRequest`. */
export const TransferRequestSchema: TSchema = Type.Object(
  {
    kind: oneOf(TRANSFER_KINDS),
    selection: Type.Object(
      {
        collection: Name,
        where: Type.Optional(WhereSchema),
        fields: Type.Optional(
          Type.Array(FieldNameSchema, { minItems: 1, maxItems: 256, uniqueItems: true }),
        ),
      },
      strict,
    ),
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
    instrument: Type.Optional(InstrumentSchema),
    aggregate: Type.Optional(
      Type.Object(
        {
          groupBy: Type.Array(
            Type.Union([
              Dimension,
              Type.Object(
                {
                  dimension: Dimension,
                  field: FieldNameSchema,
                  edges: Type.Optional(
                    Type.Array(Type.Number({ minimum: -1e15, maximum: 1e15 }), {
                      minItems: 1,
                      maxItems: 99,
                    }),
                  ),
                },
                strict,
              ),
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
                  min: Type.Optional(Type.Number({ minimum: -1e15, maximum: 1e15 })),
                  max: Type.Optional(Type.Number({ minimum: -1e15, maximum: 1e15 })),
                },
                strict,
              ),
            ]),
            { maxItems: 5 },
          ),
          minimumCount: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
          contributionMax: Type.Optional(
            Type.Integer({ minimum: 1, maximum: CONTRIBUTION_COUNT_MAX }),
          ),
          period: Type.Optional(Type.String({ pattern: FIGURES_PERIOD, maxLength: 7 })),
        },
        strict,
      ),
    ),
  },
  strict,
);

const TransferApprovalSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    cell: CellIdSchema,
    tenantId: UuidSchema,
    transferId: UuidSchema,
    requestHash: Sha256Schema,
    approvedAt: InstantSchema,
  },
  strict,
);

/** Reads an approval out of a verified envelope's payload. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseTransferApproval(payload: Uint8Array): TransferApproval {
  return parseWith(TransferApprovalSchema, payload, 'transfer approval') as TransferApproval;
}

/** `POST /v1/transfers/{transferId}/approvals` */
export const TransferApprovalRequestSchema: TSchema = Type.Object(
  { approval: EnvelopeSchema },
  strict,
);
