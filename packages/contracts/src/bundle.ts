// SPDX-License-Identifier: Apache-2.0
// What the control plane delivers to a cell (DESIGN, "Bundles and staleness"). It delivers and does not
// decide: the cell verifies signature, cell, serial and nonce, compiles the charter itself, computes
// what a bundle would widen, and asks for approvals by keys pinned in the cell.
import type { CellId, Residency, TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import {
  AddressSchema,
  type CellAddress,
  CellIdSchema,
  EnvelopeSchema,
  HostNameSchema,
  InstantSchema,
  PublicKeySchema,
  ResidencySchema,
  Sha256Schema,
  UuidSchema,
} from './directory.ts';
import { parseWith } from './parse-with.ts';

/** DSSE payload type of a `Bundle`. */
export const BUNDLE_PAYLOAD_TYPE = 'application/vnd.bailiwick.bundle.v1+json';
/** DSSE payload type of a `FreshnessStatement`. */
export const FRESHNESS_PAYLOAD_TYPE = 'application/vnd.bailiwick.freshness.v1+json';
/** DSSE payload type of an `ApprovalStatement`. */
export const APPROVAL_PAYLOAD_TYPE = 'application/vnd.bailiwick.approval.v1+json';

/** Longest charter text in characters. */
export const CHARTER_TEXT_LENGTH_MAX = 1_000_000;

/** `active` serves, `suspended` is refused, `leaving` may only read and erase. */
export const TENANT_STATES = ['active', 'suspended', 'leaving'] as const;
export type TenantState = (typeof TENANT_STATES)[number];

/** A tenant of the cell: opaque id, its residencies and its terms. */
export interface BundleTenant {
  readonly tenantId: TenantId;
  readonly state: TenantState;
  readonly residencies: readonly Residency[];
  /** Grows with each change of this tenant's terms. */
  readonly termsSerial: number;
  /** SHA-256 of the canonical JSON of `terms`, lower-case hex. */
  readonly termsHash: string;
  /** Contract terms as the charter package's `parseTerms` reads them; they can only narrow. */
  readonly terms: unknown;
  /** DSSE envelope of an `AgreementStatement`; absent for terms that nobody has signed. */
  readonly agreement?: unknown;
}

/** A cell that others must know: to name the home of a request, and to verify what it signed. */
export interface BundleCell extends CellAddress {
  readonly residency: Residency;
  readonly spiffeId: string;
  /** Where it takes deliveries of other cells (mTLS). */
  readonly internal: { readonly host: string; readonly port: number };
  /** Jurisdictions: where it stands and whose law reaches its operator. */
  readonly location: string;
  readonly operator: string;
  /** Ed25519 public key of its claims and deliveries, base64; absent until the cell announced it. */
  readonly signingKey?: string;
}

/** When a candidate stops by itself. */
export interface RolloutLimits {
  /** Most failures of the candidate itself; one more stops it. */
  readonly errorsCountMax: number;
  /** Largest share of decisions that the candidate makes stricter, in hundredths of a per cent. */
  readonly stricterBasisPointsMax: number;
  /** Longest time that the candidate takes for a decision, on average. */
  readonly latencyMicrosMax: number;
  /** Shares and averages are judged from this many decisions on; errors at once. */
  readonly decidedCountMin: number;
}

/**
 * A charter that decides beside the law for a share of decisions, where the stricter answer holds. It can
 * only narrow, so it needs no approvals; becoming law does.
 */
export interface BundleCandidate {
  /** The serial that it will have; larger than the charter's. */
  readonly serial: number;
  readonly text: string;
  readonly textHash: string;
  readonly shareBasisPoints: number;
  readonly limits: RolloutLimits;
}

/** Everything a cell gets to know from the middle. */
export interface Bundle {
  readonly v: 1;
  readonly cell: CellId;
  /** Grows with each bundle of this cell; an older one is refused. */
  readonly serial: number;
  readonly issuedAt: string;
  readonly charter: {
    /** Grows with each charter of the whole system; a rollback is an old text under a new serial. */
    readonly serial: number;
    readonly text: string;
    /** SHA-256 of the text's UTF-8 bytes, lower-case hex. */
    readonly textHash: string;
    /** How long a freshness statement holds at most. */
    readonly freshForMs: number;
  };
  /** Absent unless a rollout is under way here. */
  readonly candidate?: BundleCandidate;
  readonly tenants: readonly BundleTenant[];
  /** Homes of this cell's tenants in all their residencies, to answer 421 with the home's name. */
  readonly homes: readonly {
    readonly tenantId: TenantId;
    readonly residency: Residency;
    readonly cell: CellId;
  }[];
  readonly cells: readonly BundleCell[];
  /** Keys that may sign the next bundles; a change needs approvals. */
  readonly trust: { readonly serial: number; readonly bundleKeys: readonly string[] };
  /** Envelopes of `ApprovalStatement`, for the charter, terms and trust in this bundle. */
  readonly approvals: readonly unknown[];
}

/**
 * What an approver signs. It holds for exactly one serial, and serials never come again, so an old
 * approval cannot bring an old, wider text back.
 */
export interface ApprovalStatement {
  readonly v: 1;
  /** `restore`: to serve a restored cell without what its witnesses cosigned, in a new epoch. */
  readonly subject: 'charter' | 'terms' | 'trust' | 'restore';
  /** Absent except for `terms`. */
  readonly tenantId?: TenantId;
  readonly serial: number;
  /** Restore: of canonical `{cell, epoch, root, size}` of the old head, under the new epoch as serial. Charter: `textHash`; terms: `termsHash`; trust: SHA-256 of the canonical JSON of `bundleKeys`. */
  readonly hash: string;
}

/** Says that `serial` is this cell's newest bundle. The cell counts `validForMs` from before it asked. */
export interface FreshnessStatement {
  readonly v: 1;
  readonly cell: CellId;
  readonly serial: number;
  readonly nonce: string;
  readonly issuedAt: string;
  readonly validForMs: number;
}

/** Answer of `GET /v1/cells/{residency}/{name}/bundle?after=&nonce=`; `bundle` only when newer. */
export interface BundleAnswer {
  /** DSSE envelope of a `Bundle`. */
  readonly bundle?: unknown;
  /** DSSE envelope of a `FreshnessStatement`. */
  readonly freshness: unknown;
}

const strict = { additionalProperties: false };
const SerialSchema: TSchema = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const ValidForSchema: TSchema = Type.Integer({ minimum: 0, maximum: 86_400_000 });
const JurisdictionSchema: TSchema = Type.String({
  pattern: '^[a-z0-9]+(?:-[a-z0-9]+)*$',
  maxLength: 63,
});
/** A SPIFFE id (SPIFFE-ID §2): trust domain and a path of plain segments. */
export const SpiffeIdSchema: TSchema = Type.String({
  pattern: '^spiffe://[a-z0-9._-]{1,255}(?:/[a-zA-Z0-9._-]+)+$',
  maxLength: 512,
});
/** A nonce of a cell: 16 to 64 characters of base64url. */
export const NonceSchema: TSchema = Type.String({ pattern: '^[A-Za-z0-9_-]{16,64}$' });

/** Schema of a `BundleTenant`. */
export const BundleTenantSchema: TSchema = Type.Object(
  {
    tenantId: UuidSchema,
    state: Type.Union(TENANT_STATES.map((state) => Type.Literal(state))),
    residencies: Type.Array(ResidencySchema, { maxItems: 64 }),
    termsSerial: SerialSchema,
    termsHash: Sha256Schema,
    terms: Type.Unknown(),
    agreement: Type.Optional(EnvelopeSchema),
  },
  strict,
);

/** Schema of a `BundleCell`. */
export const BundleCellSchema: TSchema = Type.Object(
  {
    cell: CellIdSchema,
    residency: ResidencySchema,
    name: HostNameSchema,
    addresses: Type.Array(AddressSchema, { minItems: 1, maxItems: 16 }),
    spiffeId: SpiffeIdSchema,
    internal: AddressSchema,
    location: JurisdictionSchema,
    operator: JurisdictionSchema,
    signingKey: Type.Optional(PublicKeySchema),
  },
  strict,
);

const BasisPointsSchema: TSchema = Type.Integer({ minimum: 0, maximum: 10_000 });
const CountSchema: TSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });

/** Schema of the limits at which a candidate stops. */
export const RolloutLimitsSchema: TSchema = Type.Object(
  {
    errorsCountMax: CountSchema,
    stricterBasisPointsMax: BasisPointsSchema,
    latencyMicrosMax: Type.Integer({ minimum: 1, maximum: 60_000_000 }),
    decidedCountMin: CountSchema,
  },
  strict,
);

/** Schema of a `BundleCandidate`. */
export const BundleCandidateSchema: TSchema = Type.Object(
  {
    serial: SerialSchema,
    text: Type.String({ minLength: 1, maxLength: CHARTER_TEXT_LENGTH_MAX }),
    textHash: Sha256Schema,
    shareBasisPoints: BasisPointsSchema,
    limits: RolloutLimitsSchema,
  },
  strict,
);

/** Schema of a `Bundle`. */
export const BundleSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    cell: CellIdSchema,
    serial: SerialSchema,
    issuedAt: InstantSchema,
    charter: Type.Object(
      {
        serial: SerialSchema,
        text: Type.String({ minLength: 1, maxLength: CHARTER_TEXT_LENGTH_MAX }),
        textHash: Sha256Schema,
        freshForMs: ValidForSchema,
      },
      strict,
    ),
    candidate: Type.Optional(BundleCandidateSchema),
    tenants: Type.Array(BundleTenantSchema),
    homes: Type.Array(
      Type.Object({ tenantId: UuidSchema, residency: ResidencySchema, cell: CellIdSchema }, strict),
    ),
    cells: Type.Array(BundleCellSchema, { maxItems: 1024 }),
    trust: Type.Object(
      {
        serial: SerialSchema,
        bundleKeys: Type.Array(PublicKeySchema, { minItems: 1, maxItems: 8 }),
      },
      strict,
    ),
    approvals: Type.Array(EnvelopeSchema, { maxItems: 4096 }),
  },
  strict,
);

/** Schema of an `ApprovalStatement`. */
export const ApprovalStatementSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    subject: Type.Union(
      ['charter', 'terms', 'trust', 'restore'].map((subject) => Type.Literal(subject)),
    ),
    tenantId: Type.Optional(UuidSchema),
    serial: SerialSchema,
    hash: Sha256Schema,
  },
  strict,
);

/** Schema of a `FreshnessStatement`. */
export const FreshnessStatementSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    cell: CellIdSchema,
    serial: SerialSchema,
    nonce: NonceSchema,
    issuedAt: InstantSchema,
    validForMs: ValidForSchema,
  },
  strict,
);

/** Schema of a `BundleAnswer`. */
export const BundleAnswerSchema: TSchema = Type.Object(
  { bundle: Type.Optional(EnvelopeSchema), freshness: EnvelopeSchema },
  strict,
);

/**
 * Reads a bundle out of a verified envelope's payload. Shape only: the cell still checks that it is for
 * this cell, that the serial grew, and that `textHash` and `termsHash` are what they say.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID`
 */
export function parseBundle(payload: Uint8Array): Bundle {
  return parseWith(BundleSchema, payload, 'bundle') as Bundle;
}

/** Reads an approval out of a verified envelope's payload. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseApprovalStatement(payload: Uint8Array): ApprovalStatement {
  const statement = parseWith(ApprovalStatementSchema, payload, 'approval') as ApprovalStatement;
  return statement;
}

/** Reads freshness out of a verified envelope's payload. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseFreshnessStatement(payload: Uint8Array): FreshnessStatement {
  return parseWith(FreshnessStatementSchema, payload, 'freshness statement') as FreshnessStatement;
}

/** Reads the answer to a cell's pull. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseBundleAnswer(body: Uint8Array): BundleAnswer {
  return parseWith(BundleAnswerSchema, body, 'bundle answer') as BundleAnswer;
}
