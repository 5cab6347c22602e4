// SPDX-License-Identifier: Apache-2.0
// What a charter would mean for what is stored: counted inside the cell, for an operator who asks that cell.
// Counts, names of the charter, countries and opaque tenant ids leave; no record and no person.
import type { CellId, TenantId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { CHARTER_TEXT_LENGTH_MAX } from './bundle.ts';
import { checkWith } from './parse-with.ts';

/** `POST /internal/v1/charter-assessments` */
export interface AssessmentRequest {
  /** The charter that is asked about. */
  readonly text: string;
  /** What it is compared with; absent: the charter in force. */
  readonly against?: string;
}

/** What would heal a violation. A draft: each is a flow of its own, to be decided when somebody asks for it. */
export interface AssessmentRemedy {
  readonly kind: 'move' | 'relabel' | 'erase';
  /** Of a move. */
  readonly to?: CellId;
  /** Of a relabelling: what the regimes would be. */
  readonly regimes?: readonly string[];
  /** Countries of origin of the records it would touch. */
  readonly origins: readonly string[];
}

/** Stored records that may not stay as they are. */
export interface AssessedViolation {
  readonly class: string;
  readonly kind: string;
  readonly rules: readonly string[];
  readonly because: string;
  readonly records: number;
  readonly tenants: number;
  /** False where the charter compared with had the same against it. */
  readonly isNew: boolean;
  readonly remedy: AssessmentRemedy;
}

/** Flows that stop, and the stored records whose flows they are. */
export interface AssessedFlow {
  readonly words: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly records: number;
  readonly tenants: readonly TenantId[];
}

export interface AssessmentAnswer {
  readonly v: 1;
  readonly cell: CellId;
  readonly before: { readonly hash: string };
  readonly after: { readonly hash: string };
  /** What was looked at. */
  readonly records: number;
  readonly tenants: number;
  /** Tenants whose contract terms name what the charter does not know. */
  readonly termsUnfit: readonly TenantId[];
  readonly violations: readonly AssessedViolation[];
  readonly flows: readonly AssessedFlow[];
  /** Transfers under way that would be stopped. */
  readonly transfers: readonly { readonly tenantId: TenantId; readonly count: number }[];
}

const Text: TSchema = Type.String({ minLength: 1, maxLength: CHARTER_TEXT_LENGTH_MAX });

/** Schema of an `AssessmentRequest`. */
export const AssessmentRequestSchema: TSchema = Type.Object(
  { text: Text, against: Type.Optional(Text) },
  { additionalProperties: false },
);

/** Reads an `AssessmentRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseAssessmentRequest(value: unknown): AssessmentRequest {
  return checkWith(AssessmentRequestSchema, value, 'assessment') as AssessmentRequest;
}
