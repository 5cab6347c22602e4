// SPDX-License-Identifier: Apache-2.0
// Counts what is entered: everything that matters leaves an entry, so the ledger's own door is the one
// place to count at. Entries that a rolled-back transaction took with it stay counted.
import type { Meter } from '@bailiwick/telemetry';
import type { EntryDraft, EntryWriter } from '../services.ts';

/** The writer, counting. */
export function countEntries(entries: EntryWriter, meter: Meter): EntryWriter {
  const entered = meter.createCounter('bailiwick.entries', { description: 'entries by kind' });
  const records = meter.createCounter('bailiwick.entry_records', {
    description: 'records that entries are about, by kind',
  });
  const count = ({ kind, records: read, writes }: EntryDraft): void => {
    entered.add(1, { kind });
    const about = writes?.count ?? read?.count ?? 0;
    if (about > 0) records.add(about, { kind });
  };
  return {
    record(tenantId, draft) {
      count(draft);
      return entries.record(tenantId, draft);
    },
    prepare(tenantId, draft) {
      count(draft);
      return entries.prepare(tenantId, draft);
    },
    insertPrepared: (tx, prepared) => entries.insertPrepared(tx, prepared),
    awaitCheckpoint: (entryId, options) => entries.awaitCheckpoint(entryId, options),
  };
}
