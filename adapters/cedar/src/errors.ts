// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type CedarErrorCode = 'CEDAR_POLICIES_INVALID';

/** Policies that cannot be asked. */
export class CedarError extends CodedError<CedarErrorCode> {}
