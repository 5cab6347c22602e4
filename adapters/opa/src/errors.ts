// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type OpaErrorCode = 'OPA_CONFIG_INVALID';

/** A counsel that cannot be set up. */
export class OpaError extends CodedError<OpaErrorCode> {}
