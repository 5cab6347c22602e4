// SPDX-License-Identifier: Apache-2.0
// Contract terms as both sides signed them: the operator's and the customer's signature over one statement
// (DSSE, Ed25519). It travels in the bundle, so that each cell checks the customer's word for itself.
import type { TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { PublicKeySchema, UuidSchema } from './directory.ts';
import { checkWith, parseWith } from './parse-with.ts';

/** DSSE payload type of an `AgreementStatement`. */
export const AGREEMENT_PAYLOAD_TYPE = 'application/vnd.bailiwick.agreement.v1+json';

/** What both sides sign. */
export interface AgreementStatement {
  readonly v: 1;
  readonly tenantId: TenantId;
  /** Serial of the terms; an agreement is for exactly one. */
  readonly serial: number;
  readonly terms: unknown;
  /** Ed25519 public keys, base64: who signs for the operator and who for the customer. */
  readonly provider: string;
  readonly customer: string;
}

/** Schema of an `AgreementStatement`. */
export const AgreementStatementSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    tenantId: UuidSchema,
    serial: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }),
    terms: Type.Object({}),
    provider: PublicKeySchema,
    customer: PublicKeySchema,
  },
  { additionalProperties: false },
);

/** Reads an agreement out of an envelope's payload. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseAgreementStatement(payload: Uint8Array): AgreementStatement {
  return parseWith(AgreementStatementSchema, payload, 'agreement') as AgreementStatement;
}

/** Checks a statement before it is signed. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function checkAgreementStatement(value: unknown): AgreementStatement {
  return checkWith(AgreementStatementSchema, value, 'agreement') as AgreementStatement;
}
