// SPDX-License-Identifier: Apache-2.0
// Accounts of a tenant in a cell, as operators set them up over the cell's internal listener, and what a
// tenant's own identity provider's groups mean there.
import { ACTOR_KINDS, type ActorKind, ASSURANCES, type Assurance } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { PublicKeySchema, UuidSchema } from './directory.ts';
import { checkWith } from './parse-with.ts';

/** Most accounts set up in one request. */
export const ACCOUNTS_COUNT_MAX = 1000;

/** A service account, or a person's who signs in with a key. */
export interface Account {
  /** Opaque id (UUID). */
  readonly account: string;
  readonly kind: ActorKind;
  readonly role: string;
  readonly employer: string;
  readonly assurance: Assurance;
  /** Jurisdiction where the actor is. */
  readonly place: string;
  /** Purposes granted. */
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
  /** Ed25519 public keys, base64, that sign client assertions. */
  readonly publicKeys: readonly string[];
  readonly isDisabled?: boolean;
}

/** `PUT /internal/v1/tenants/{tenantId}/accounts`: adds these, changes those that are there. */
export interface AccountsRequest {
  readonly accounts: readonly Account[];
}

/** What membership of a group at the tenant's identity provider means. */
export interface SignInGrant {
  readonly role: string;
  readonly employer: string;
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
}

/** `PUT /internal/v1/tenants/{tenantId}/sign-in`; issuer and audience stand in the contract terms. */
export interface SignInRequest {
  readonly algorithms: readonly ('RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA')[];
  /** Jurisdiction where the provider stands and its people are. */
  readonly place: string;
  /** `typ` of its access tokens; default `at+jwt`. */
  readonly tokenType?: string;
  readonly groupClaim: string;
  readonly grants: Readonly<Record<string, SignInGrant>>;
  /** `acr` values to assurance. */
  readonly assurances?: Readonly<Record<string, Assurance>>;
  /** This cell's client at the provider, with which people sign in to the portal; absent: nobody does. */
  readonly portal?: {
    readonly clientId: string;
    /** Default `openid`. */
    readonly scope?: string;
  };
}

const strict = { additionalProperties: false };
const oneOf = (values: readonly string[]): TSchema =>
  Type.Union(values.map((value) => Type.Literal(value)));
const Name: TSchema = Type.String({ pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$', maxLength: 63 });
const Purposes: TSchema = Type.Array(Name, { maxItems: 32, uniqueItems: true });

/** Schema of an `Account`. */
export const AccountSchema: TSchema = Type.Object(
  {
    account: UuidSchema,
    kind: oneOf(ACTOR_KINDS),
    role: Name,
    employer: Name,
    assurance: oneOf(ASSURANCES),
    place: Name,
    purposes: Purposes,
    defaultPurpose: Type.Optional(Name),
    publicKeys: Type.Array(PublicKeySchema, { maxItems: 4, uniqueItems: true }),
    isDisabled: Type.Optional(Type.Boolean()),
  },
  strict,
);

/** Schema of an `AccountsRequest`. */
export const AccountsRequestSchema: TSchema = Type.Object(
  { accounts: Type.Array(AccountSchema, { minItems: 1, maxItems: ACCOUNTS_COUNT_MAX }) },
  strict,
);

/** Schema of a `SignInRequest`. */
export const SignInRequestSchema: TSchema = Type.Object(
  {
    algorithms: Type.Array(oneOf(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA']), {
      minItems: 1,
      uniqueItems: true,
    }),
    place: Name,
    tokenType: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
    groupClaim: Type.String({ minLength: 1, maxLength: 127 }),
    grants: Type.Record(
      Type.String({ minLength: 1, maxLength: 127 }),
      Type.Object(
        { role: Name, employer: Name, purposes: Purposes, defaultPurpose: Type.Optional(Name) },
        strict,
      ),
      { maxProperties: 128 },
    ),
    assurances: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 255 }), oneOf(ASSURANCES), {
        maxProperties: 32,
      }),
    ),
    portal: Type.Optional(
      Type.Object(
        {
          clientId: Type.String({ pattern: '^[\\x21-\\x7e]{1,255}$' }),
          scope: Type.Optional(Type.String({ pattern: '^[\\x21-\\x7e ]{1,255}$' })),
        },
        strict,
      ),
    ),
  },
  strict,
);

/** Reads what a cell stored of a tenant's sign-in. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseSignIn(value: unknown): SignInRequest {
  return checkWith(SignInRequestSchema, value, 'sign-in') as SignInRequest;
}
