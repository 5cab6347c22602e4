// SPDX-License-Identifier: Apache-2.0
// This room's failures. What a caller sees of them, and of other rooms' failures, is in `problem.ts`.
import type { ProblemPlace } from '@bailiwick/contracts';
import { CodedError, type Decision } from '@bailiwick/kernel';

/** Codes of a cell's process. */
export type CellErrorCode =
  | 'CELL_CONFIG_INVALID'
  | 'CELL_LOCATION_MISMATCH'
  | 'CELL_STATE_MISSING'
  | 'CELL_INPUT_INVALID'
  | 'CELL_BODY_TOO_LARGE'
  | 'CELL_MEDIA_UNSUPPORTED'
  | 'CELL_ROUTE_UNKNOWN'
  | 'CELL_NOT_FOUND'
  | 'CELL_CREDENTIAL_MISSING'
  | 'CELL_CREDENTIAL_INVALID'
  | 'CELL_CREDENTIAL_EXPIRED'
  | 'CELL_SESSION_INVALID'
  | 'CELL_SIGN_IN_ABSENT'
  | 'CELL_SIGN_IN_INVALID'
  | 'CELL_REQUEST_FOREIGN'
  | 'CELL_ACCOUNT_UNKNOWN'
  | 'CELL_TENANT_UNKNOWN'
  | 'CELL_TENANT_SUSPENDED'
  | 'CELL_SEAL_FOREIGN'
  | 'CELL_SEAL_ERASED'
  | 'CELL_SEAL_UNOPENED'
  | 'CELL_PURPOSE_MISSING'
  | 'CELL_PURPOSE_FORBIDDEN'
  | 'CELL_ROLE_FORBIDDEN'
  | 'CELL_AUTHORITY_MISMATCH'
  | 'CELL_MISDIRECTED'
  | 'CELL_OVERLOADED'
  | 'CELL_DATABASE_UNAVAILABLE'
  | 'CELL_DEADLINE_EXCEEDED'
  | 'CELL_SHUTTING_DOWN'
  | 'CELL_INTERNAL_FAULT'
  | 'RESIDENCY_CLAIM_MISSING'
  | 'RESIDENCY_CLAIM_INVALID'
  | 'RESIDENCY_UNSUPPORTED'
  | 'RESIDENCY_FORBIDDEN'
  | 'IDEMPOTENCY_KEY_MISSING'
  | 'IDEMPOTENCY_KEY_REUSED'
  | 'IDEMPOTENCY_KEY_IN_FLIGHT'
  | 'LAW_CHARTER_ABSENT'
  | 'LAW_BUNDLE_REFUSED'
  | 'PEER_FORBIDDEN'
  | 'PEER_UNREACHABLE'
  | 'TRANSFER_UNKNOWN'
  | 'TRANSFER_INVALID'
  | 'TRANSFER_UNSUPPORTED'
  | 'TRANSFER_STATE_PASSED'
  | 'TRANSFER_APPROVAL_REFUSED'
  | 'TRANSFER_FIGURES_RELEASED'
  | 'DELIVERY_REFUSED'
  | 'BACKUP_DENIED'
  | 'BACKUP_UNDER_WAY'
  | 'HOLD_UNKNOWN'
  | 'ORDER_UNKNOWN'
  | 'STANDING_LIMIT_REACHED'
  | 'RESTORE_TARGET_INVALID'
  | 'RESTORE_LIST_WITHHELD'
  | 'RESTORE_APPROVAL_INVALID'
  | 'RESTORE_NOT_REPLAYED'
  | 'RESTORE_UNWITNESSED'
  | 'RETENTION_RUN_UNKNOWN'
  | 'ERASURE_UNKNOWN'
  | 'REQUEST_UNKNOWN'
  | 'REQUEST_STATE_WRONG';

export interface CellErrorOptions {
  readonly details?: Readonly<
    Record<string, string | number | boolean | readonly string[] | undefined>
  >;
  readonly cause?: unknown;
  /** Places in the input, for the problem document. */
  readonly places?: readonly ProblemPlace[];
}

/** A failure of a cell's process. */
export class CellError extends CodedError<CellErrorCode> {
  readonly places: readonly ProblemPlace[];

  constructor(code: CellErrorCode, message: string, options: CellErrorOptions = {}) {
    super(code, message, options);
    this.places = options.places ?? [];
  }
}

/** Carries a denial out of an enforcement point; the decision is what the caller gets to see. */
export class DenialError extends CodedError<'POLICY_FLOW_DENIED'> {
  readonly decision: Decision;

  constructor(decision: Decision) {
    const [first] = decision.reasons;
    super('POLICY_FLOW_DENIED', first?.because ?? 'no rule of the charter allows this flow');
    this.decision = decision;
  }
}
