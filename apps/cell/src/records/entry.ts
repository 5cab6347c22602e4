// SPDX-License-Identifier: Apache-2.0
// What the entries of records say: ids, hashes and counts.
import { hash } from 'node:crypto';
import { type RecordId, type SubjectId, writeUuid } from '@bailiwick/kernel';
import { encodeWriteItems, type RowWrite } from '@bailiwick/ledger';
import type { EntryDraft } from '../services.ts';

/** How many records and SHA-256 over their ids, 16 bytes each, in the order given. */
export function toEntryRecords(recordIds: readonly RecordId[]): NonNullable<EntryDraft['records']> {
  const bytes = Buffer.alloc(recordIds.length * 16);
  for (const [index, recordId] of recordIds.entries()) writeUuid(bytes, index * 16, recordId);
  return { count: recordIds.length, hash: hash('sha256', bytes, 'hex') };
}

/** What was written: the items, how many, and SHA-256 over the items' bytes. */
export function toEntryWrites(writes: readonly RowWrite[]): NonNullable<EntryDraft['writes']> {
  const items = encodeWriteItems(writes);
  const digest = hash('sha256', Buffer.from(items, 'base64url'), 'hex');
  return { count: writes.length, hash: digest, items };
}

/** A subject as an entry names it: its keyed pseudonym in hex. */
export function toEntrySubject(
  subjectId: SubjectId | undefined,
): { readonly subject: string } | undefined {
  return subjectId === undefined ? undefined : { subject: subjectId.replaceAll('-', '') };
}
