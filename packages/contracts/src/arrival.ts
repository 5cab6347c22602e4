// SPDX-License-Identifier: Apache-2.0
// What one cell sends another as a copy, over mTLS: a signed manifest, chunks of records, a signed end.
// Chunks carry people's data: they exist on the wire only, and rest nowhere as they are.
import type { CellId, Form, TenantId } from '@bailiwick/kernel';
import { FORMS } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import type { CollectionSchema } from './collection.ts';
import { CellIdSchema, InstantSchema, Sha256Schema, UuidSchema } from './directory.ts';
import type { FieldValue } from './field.ts';
import { checkWith, parseWith } from './parse-with.ts';
import { FieldValueSchema } from './record.ts';
import type { TransferInstrument } from './transfer.ts';

/** DSSE payload type of a `TransferManifest`. */
export const TRANSFER_MANIFEST_PAYLOAD_TYPE = 'application/vnd.bailiwick.transfer-manifest.v1+json';
/** DSSE payload type of a `TransferEnd`. */
export const TRANSFER_END_PAYLOAD_TYPE = 'application/vnd.bailiwick.transfer-end.v1+json';
/** Most records of a chunk. */
export const CHUNK_RECORDS_COUNT_MAX = 1_000;

/** What is to come, on whose word, under which instrument. */
export interface TransferManifest {
  readonly v: 1;
  readonly transferId: string;
  readonly from: CellId;
  readonly to: CellId;
  readonly tenantId: TenantId;
  readonly kind: 'copy';
  readonly form: Form;
  readonly purpose: string;
  readonly mechanism?: string;
  readonly instrument?: TransferInstrument;
  /** Who asked, as the first cell knows them. */
  readonly actor: {
    readonly kind: 'workload' | 'person';
    readonly role: string;
    readonly employer: string;
    readonly assurance: 'low' | 'substantial' | 'high';
    readonly place: string;
  };
  /** Conditions of the charter that approvals have made true there. */
  readonly conditions: readonly string[];
  readonly collection: { readonly id: string; readonly schema: CollectionSchema };
  readonly requestHash: string;
  readonly at: string;
}

/** A record on its way. Ids are the first cell's, or pseudonyms. */
export interface ChunkRecord {
  readonly id: string;
  readonly subject?: string;
  readonly origin: string;
  readonly regimes: readonly string[];
  readonly residency: string;
  readonly lawDate: string;
  readonly collectedAt: string;
  readonly consent?: 'given' | 'withdrawn' | 'absent';
  readonly fields: Readonly<Record<string, FieldValue>>;
}

/** Some records, in the order of their ids at home. */
export interface TransferChunk {
  readonly v: 1;
  /** From 1. */
  readonly chunk: number;
  /** The last record of the first cell that this chunk has looked at. */
  readonly through: string;
  /** 32 random bytes, lower-case hex, in the content's hash: the hash tells nothing of few values. */
  readonly salt: string;
  readonly records: readonly ChunkRecord[];
}

/** What the destination says of a chunk, the first time and whenever it comes again. */
export interface ChunkReceipt {
  readonly chunk: number;
  readonly contentHash: string;
  readonly through: string;
  readonly recordCount: number;
  readonly refusedCount: number;
  readonly entryId: string;
  readonly leafHash: string;
}

/** The first cell's last word on a transfer. */
export interface TransferEnd {
  readonly v: 1;
  readonly transferId: string;
  readonly from: CellId;
  readonly tenantId: TenantId;
  readonly outcome: 'completed' | 'stopped';
  readonly chunkCount: number;
  readonly recordCount: number;
  readonly digest: string;
}

const strict = { additionalProperties: false };
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const Word: TSchema = Type.String({ pattern: '^[a-z0-9]+(?:-[a-z0-9]+)*$', maxLength: 63 });
const Count: TSchema = Type.Integer({ minimum: 0, maximum: 1_000_000_000 });

const ManifestSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    transferId: UuidSchema,
    from: CellIdSchema,
    to: CellIdSchema,
    tenantId: UuidSchema,
    kind: Type.Literal('copy'),
    form: oneOf(FORMS),
    purpose: Word,
    mechanism: Type.Optional(Word),
    instrument: Type.Optional(
      Type.Object(
        {
          reference: Type.String({ maxLength: 120 }),
          parties: Type.Array(Type.String({ maxLength: 120 }), { minItems: 2, maxItems: 8 }),
        },
        strict,
      ),
    ),
    actor: Type.Object(
      {
        kind: oneOf(['workload', 'person']),
        role: Word,
        employer: Word,
        assurance: oneOf(['low', 'substantial', 'high']),
        place: Word,
      },
      strict,
    ),
    conditions: Type.Array(Word, { maxItems: 16 }),
    // Held against the collection's own schema where it is used.
    collection: Type.Object({ id: Word, schema: Type.Unknown() }, strict),
    requestHash: Sha256Schema,
    at: InstantSchema,
  },
  strict,
);

const ChunkSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    chunk: Type.Integer({ minimum: 1, maximum: 100_000_000 }),
    through: UuidSchema,
    salt: Sha256Schema,
    records: Type.Array(
      Type.Object(
        {
          id: UuidSchema,
          subject: Type.Optional(UuidSchema),
          origin: Word,
          regimes: Type.Array(Word, { maxItems: 16 }),
          residency: Word,
          lawDate: Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$' }),
          collectedAt: InstantSchema,
          consent: Type.Optional(oneOf(['given', 'withdrawn', 'absent'])),
          fields: Type.Record(Type.String({ maxLength: 63 }), FieldValueSchema),
        },
        strict,
      ),
      { maxItems: CHUNK_RECORDS_COUNT_MAX },
    ),
  },
  strict,
);

const EndSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    transferId: UuidSchema,
    from: CellIdSchema,
    tenantId: UuidSchema,
    outcome: oneOf(['completed', 'stopped']),
    chunkCount: Count,
    recordCount: Count,
    digest: Sha256Schema,
  },
  strict,
);

const ReceiptSchema: TSchema = Type.Object(
  {
    chunk: Type.Integer({ minimum: 1 }),
    contentHash: Sha256Schema,
    through: UuidSchema,
    recordCount: Count,
    refusedCount: Count,
    entryId: UuidSchema,
    leafHash: Sha256Schema,
  },
  strict,
);

/** @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseTransferManifest(payload: Uint8Array): TransferManifest {
  return parseWith(ManifestSchema, payload, 'transfer manifest') as TransferManifest;
}

/** @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseTransferEnd(payload: Uint8Array): TransferEnd {
  return parseWith(EndSchema, payload, 'end of a transfer') as TransferEnd;
}

/** @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function checkTransferChunk(value: unknown): TransferChunk {
  return checkWith(ChunkSchema, value, 'chunk of a transfer') as TransferChunk;
}

/** @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function checkChunkReceipt(value: unknown): ChunkReceipt {
  return checkWith(ReceiptSchema, value, 'receipt of a chunk') as ChunkReceipt;
}
