// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. Answers of a cell (denied, not found, conflict) are values: see `answer.ts`. */
export type SdkErrorCode =
  | 'SDK_OPTIONS_INVALID'
  | 'SDK_CELL_UNREACHABLE'
  | 'SDK_DEADLINE_EXCEEDED'
  | 'SDK_ANSWER_INVALID'
  | 'SDK_ANSWER_REFUSED'
  | 'SDK_SIGN_IN_REFUSED'
  | 'SDK_DIRECTORY_UNVERIFIED'
  | 'SDK_RESIDENCY_UNKNOWN';

/** A failure of the client library or of what lies between it and a cell. */
export class SdkError extends CodedError<SdkErrorCode> {}
