// SPDX-License-Identifier: Apache-2.0
// What a backup needs from outside: objects that are written once and stay for their term.
// `packages/testkit/src/suites/object-store.ts` holds every implementation to the same behaviour.

/** What a store says of an object. */
export interface StoredObject {
  readonly name: string;
  /** Of the content. */
  readonly sizeBytes: number;
  /** Until then the store refuses to remove the object. */
  readonly retainUntilMs: number;
}

/** What was written. */
export interface WrittenObject {
  readonly name: string;
  readonly sizeBytes: number;
  /** SHA-256 of the content, lower-case hex. */
  readonly sha256: string;
}

/**
 * Objects in a place of their own, outside the database and its volumes.
 *
 * INVARIANT: an object is there whole or not at all, is never overwritten, and is not removed before its
 * term has ended.
 */
export interface ObjectStore {
  /** Kind and strength in a word, for people: `directory`. */
  readonly kind: string;
  /**
   * Durable on return.
   *
   * @throws {BackupsError} `BACKUPS_OBJECT_EXISTS`, `BACKUPS_NAME_INVALID`, `BACKUPS_STORE_UNAVAILABLE`
   */
  put(
    name: string,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { readonly retainUntilMs: number },
  ): Promise<WrittenObject>;
  /** @throws {BackupsError} `BACKUPS_OBJECT_MISSING`, `BACKUPS_STORE_UNAVAILABLE` */
  read(name: string): AsyncIterable<Buffer>;
  /** Objects whose names begin with `prefix`, in the order of their names. */
  list(prefix: string): Promise<readonly StoredObject[]>;
  /** @throws {BackupsError} `BACKUPS_OBJECT_RETAINED`, `BACKUPS_OBJECT_MISSING` */
  remove(name: string, options: { readonly nowMs: number }): Promise<void>;
}
