// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type WitnessErrorCode =
  | 'WITNESS_CONFIG_INVALID'
  | 'WITNESS_STATE_INVALID'
  | 'WITNESS_STATE_MISSING';

/** A failure of a witness's process. */
export class WitnessError extends CodedError<WitnessErrorCode> {}
