// SPDX-License-Identifier: Apache-2.0
// Bodies of the control plane's API (mTLS): what operators and cells send it.

import type { CellId, Residency, TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import {
  type BundleCell,
  BundleCellSchema,
  CHARTER_TEXT_LENGTH_MAX,
  TENANT_STATES,
  type TenantState,
} from './bundle.ts';
import {
  CellIdSchema,
  EnvelopeSchema,
  PublicKeySchema,
  ResidencySchema,
  UuidSchema,
} from './directory.ts';
import { checkWith } from './parse-with.ts';

/** Home of a tenant's residency. */
export interface TenantHome {
  readonly residency: Residency;
  readonly cell: CellId;
}

/** `POST /v1/tenants`, `PUT /v1/tenants/{tenantId}` */
export interface TenantRequest {
  /** `POST` only; absent: the control plane makes one. */
  readonly tenantId?: TenantId;
  /** Default `active`. */
  readonly state?: TenantState;
  readonly homes: readonly TenantHome[];
  /** Contract terms; absent: none. */
  readonly terms?: unknown;
  /** The terms as both sides signed them; once there is one, terms change only with another. */
  readonly agreement?: unknown;
  /** Envelopes of `ApprovalStatement` for these terms under the next serial. */
  readonly approvals?: readonly unknown[];
}

/** What the control plane knows of a tenant. */
export interface TenantAnswer {
  readonly tenantId: TenantId;
  readonly state: TenantState;
  readonly homes: readonly TenantHome[];
  readonly terms: unknown;
  readonly termsSerial: number;
  readonly termsHash: string;
  readonly agreement?: unknown;
}

/** `PUT /v1/charter` */
export interface CharterRequest {
  readonly text: string;
  /** The serial that this text is to have: one more than now. Approvals are bound to it. */
  readonly serial: number;
  readonly approvals?: readonly unknown[];
}

/** `GET /v1/charter`, and the answer to a change. */
export interface CharterAnswer {
  /** 0 and an empty text before the first. */
  readonly serial: number;
  readonly text: string;
  readonly textHash: string;
  /** The serial that the next charter is to have: one that no charter and no candidate has had. */
  readonly nextSerial?: number;
}

/** `POST /v1/mechanism-suspensions` */
export interface SuspensionRequest {
  readonly mechanism: string;
}

const strict = { additionalProperties: false };
const Approvals: TSchema = Type.Array(EnvelopeSchema, { maxItems: 16 });

/** Schema of a `TenantRequest`. */
export const TenantRequestSchema: TSchema = Type.Object(
  {
    tenantId: Type.Optional(UuidSchema),
    state: Type.Optional(Type.Union(TENANT_STATES.map((state) => Type.Literal(state)))),
    homes: Type.Array(Type.Object({ residency: ResidencySchema, cell: CellIdSchema }, strict), {
      minItems: 1,
      maxItems: 64,
    }),
    terms: Type.Optional(Type.Object({})),
    agreement: Type.Optional(EnvelopeSchema),
    approvals: Type.Optional(Approvals),
  },
  strict,
);

/** Schema of `PUT /v1/cells/{residency}/{name}`: a `BundleCell` without what the path says. */
export const CellRequestSchema: TSchema = Type.Omit(BundleCellSchema, [
  'cell',
  'residency',
  'signingKey',
]);

/** Schema of `PUT /v1/cells/{residency}/{name}/signing-key`. */
export const SigningKeyRequestSchema: TSchema = Type.Object({ key: PublicKeySchema }, strict);

/** Schema of a `CharterRequest`. */
export const CharterRequestSchema: TSchema = Type.Object(
  {
    text: Type.String({ minLength: 1, maxLength: CHARTER_TEXT_LENGTH_MAX }),
    serial: Type.Integer({ minimum: 1 }),
    approvals: Type.Optional(Approvals),
  },
  strict,
);

/** Schema of a `SuspensionRequest`. */
export const SuspensionRequestSchema: TSchema = Type.Object(
  { mechanism: Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 }) },
  strict,
);

/** What is said about a cell when it is registered. */
export type CellRequest = Omit<BundleCell, 'cell' | 'residency' | 'signingKey'>;

/** Reads a `TenantRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseTenantRequest(value: unknown): TenantRequest {
  return checkWith(TenantRequestSchema, value, 'tenant') as TenantRequest;
}

/** Reads a `CellRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseCellRequest(value: unknown): CellRequest {
  return checkWith(CellRequestSchema, value, 'cell') as CellRequest;
}

/** Reads a `CharterRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseCharterRequest(value: unknown): CharterRequest {
  return checkWith(CharterRequestSchema, value, 'charter') as CharterRequest;
}

/** Reads a `SuspensionRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseSuspensionRequest(value: unknown): SuspensionRequest {
  return checkWith(SuspensionRequestSchema, value, 'suspension') as SuspensionRequest;
}

/** Reads the key that a cell announces. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseSigningKeyRequest(value: unknown): { readonly key: string } {
  return checkWith(SigningKeyRequestSchema, value, 'signing key') as { readonly key: string };
}
