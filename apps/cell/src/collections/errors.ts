// SPDX-License-Identifier: Apache-2.0
// What collections refuse, with the status each code has on the wire.
import { CodedError } from '@bailiwick/kernel';

/** Codes of this folder, with status and title. */
export const COLLECTION_PROBLEMS = {
  COLLECTION_UNKNOWN: { status: 404, title: 'there is no such collection' },
  COLLECTION_CHANGE_UNSUPPORTED: { status: 409, title: 'the schema cannot change in this way' },
  COLLECTION_NAME_UNKNOWN: {
    status: 422,
    title: 'the schema names what the charter does not know',
  },
} as const;

export type CollectionErrorCode = keyof typeof COLLECTION_PROBLEMS;

/** A failure of this folder. */
export class CollectionError extends CodedError<CollectionErrorCode> {}
