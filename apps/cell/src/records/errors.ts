// SPDX-License-Identifier: Apache-2.0
// What records refuse, with the status each code has on the wire.
import type { ProblemPlace } from '@bailiwick/contracts';
import { CodedError, type CodedErrorOptions } from '@bailiwick/kernel';

/** Codes of this folder, with status and title. */
export const RECORD_PROBLEMS = {
  RECORD_UNKNOWN: { status: 404, title: 'there is no such record' },
  RECORD_CONFLICT: { status: 409, title: 'the record exists with other content' },
  RECORD_VERSION_MISSING: { status: 428, title: 'the version that was read is needed' },
  RECORD_VERSION_STALE: { status: 412, title: 'the record has changed since it was read' },
  RECORD_FIELD_INVALID: { status: 400, title: 'a field is not what the schema asks for' },
  RECORD_HOME_ELSEWHERE: { status: 421, title: 'the home of data collected there is another cell' },
  RECORD_HOME_ABSENT: { status: 422, title: 'data collected there has no home' },
  RECORD_FIELD_UNSEARCHABLE: { status: 400, title: 'the field cannot be searched in this way' },
  RECORD_PAGE_TOKEN_INVALID: { status: 400, title: 'the page token is not one of this query' },
  RECORD_FACTS_UNVERIFIED: { status: 403, title: 'the facts of the record do not verify' },
  RECORD_ERASED: { status: 410, title: 'the person whom the record is about was erased' },
  IMPORT_HEADER_INVALID: { status: 400, title: 'the first line does not have the right columns' },
  IMPORT_MAPPING_UNKNOWN: { status: 400, title: 'the collection has no such mapping' },
} as const;

export type RecordErrorCode = keyof typeof RECORD_PROBLEMS;

/** A failure of this folder. */
export class RecordError extends CodedError<RecordErrorCode> {
  /** Places in the input, for the problem document. */
  readonly places: readonly ProblemPlace[];

  constructor(
    code: RecordErrorCode,
    message: string,
    options: CodedErrorOptions & { readonly places?: readonly ProblemPlace[] } = {},
  ) {
    super(code, message, options);
    this.places = options.places ?? [];
  }
}

/** Why one record of many was refused; `pointer` is into the record. Never quotes a value. */
export interface RecordRefusal {
  readonly code: RecordErrorCode;
  readonly detail: string;
  readonly pointer?: string;
}

/** A refusal as the error of a single operation. */
export function toRecordError({ code, detail, pointer }: RecordRefusal): RecordError {
  const places = pointer === undefined ? [] : [{ pointer, detail }];
  return new RecordError(code, detail, { places });
}
