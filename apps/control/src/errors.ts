// SPDX-License-Identifier: Apache-2.0
import type { ProblemPlace } from '@bailiwick/contracts';
import { CodedError, type ErrorDetails } from '@bailiwick/kernel';

/** Codes of the control plane. */
export type ControlErrorCode =
  | 'CONTROL_CONFIG_INVALID'
  | 'CONTROL_INPUT_INVALID'
  | 'CONTROL_PEER_FORBIDDEN'
  | 'CONTROL_ROUTE_UNKNOWN'
  | 'CONTROL_BODY_TOO_LARGE'
  | 'CONTROL_MEDIA_UNSUPPORTED'
  | 'CONTROL_PERSONAL_DATA_REFUSED'
  | 'CONTROL_CHARTER_INVALID'
  | 'CONTROL_CHARTER_ABSENT'
  | 'CONTROL_SERIAL_CONFLICT'
  | 'CONTROL_APPROVAL_INVALID'
  | 'CONTROL_TERMS_INVALID'
  | 'CONTROL_AGREEMENT_INVALID'
  | 'CONTROL_TENANT_UNKNOWN'
  | 'CONTROL_TENANT_EXISTS'
  | 'CONTROL_HOME_INVALID'
  | 'CONTROL_CELL_UNKNOWN'
  | 'CONTROL_CELL_CONFLICT'
  | 'CONTROL_KEY_CONFLICT'
  | 'CONTROL_MECHANISM_UNKNOWN'
  | 'CONTROL_ROLLOUT_UNKNOWN'
  | 'CONTROL_ROLLOUT_CONFLICT'
  | 'CONTROL_DELIVERY_REFUSED'
  | 'CONTROL_IDEMPOTENCY_KEY_MISSING'
  | 'CONTROL_IDEMPOTENCY_KEY_REUSED'
  | 'CONTROL_INTERNAL_FAULT';

/** A failure of the control plane. */
export class ControlError extends CodedError<ControlErrorCode> {
  readonly places: readonly ProblemPlace[];

  constructor(
    code: ControlErrorCode,
    message: string,
    options: {
      readonly details?: ErrorDetails;
      readonly cause?: unknown;
      readonly places?: readonly ProblemPlace[];
    } = {},
  ) {
    super(code, message, options);
    this.places = options.places ?? [];
  }
}
