// SPDX-License-Identifier: Apache-2.0
// This room's failures. None of them quotes a byte of what is backed up.
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type BackupsErrorCode =
  /** The store cannot be reached, read or written. */
  | 'BACKUPS_STORE_UNAVAILABLE'
  /** An object's name does not have the expected shape. */
  | 'BACKUPS_NAME_INVALID'
  /** An object of this name is there: objects are written once. */
  | 'BACKUPS_OBJECT_EXISTS'
  /** There is no such object: never written, or withheld. */
  | 'BACKUPS_OBJECT_MISSING'
  /** The object's term has not ended. */
  | 'BACKUPS_OBJECT_RETAINED'
  /** An object is not what was written: cut, changed, moved, or under another key. */
  | 'BACKUPS_OBJECT_DAMAGED'
  /** A manifest is not one of this version, or does not belong to this cell. */
  | 'BACKUPS_MANIFEST_INVALID'
  /** There is no complete chain of backups for the instant asked for. */
  | 'BACKUPS_POINT_MISSING';

/** A failure of this room. */
export class BackupsError extends CodedError<BackupsErrorCode> {}
