// SPDX-License-Identifier: Apache-2.0
// Does again to a restored database what must never be undone: erasures, expiries, and the customer's
// switch. What a user deleted is not among it: bringing that back is what a restore to an earlier instant is
// for. The list is not kept anywhere: it is the ledger, read from where the backup ends.
import { BackupsError } from '@bailiwick/backups';
import { parseWriteItems } from '@bailiwick/ledger';
import type { ClientBase } from 'pg';
import { type PlacedEntry, readEntriesFrom } from './load-ledger.ts';

/** What a replay did. */
export interface ReplayOutcome {
  readonly entriesCount: number;
  readonly erasuresCount: number;
  readonly keysErasedCount: number;
  readonly recordsRemovedCount: number;
  readonly keyChangesCount: number;
}

/** Kinds of entries that a restore looks at. */
const KINDS = ['erasure', 'delete', 'key'] as const;
/** A deletion with one of these facts was no user's wish: the law or an erasure asked for it. */
const BINDING_FACTS = ['erasure', 'retention'] as const;
const HEX_UUID = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/;

interface Body {
  readonly at: string;
  readonly subject?: string;
  readonly writes?: { readonly items?: string };
  readonly facts?: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

interface Tally {
  entriesCount: number;
  erasuresCount: number;
  keysErasedCount: number;
  recordsRemovedCount: number;
  keyChangesCount: number;
}

/** Replays the ledger from a position to its end, in the caller's transaction. */
export async function replayLedger(
  client: ClientBase,
  from: { readonly epoch: number; readonly index: number },
): Promise<ReplayOutcome> {
  const tally: Tally = {
    ...{ entriesCount: 0, erasuresCount: 0, keysErasedCount: 0 },
    ...{ recordsRemovedCount: 0, keyChangesCount: 0 },
  };
  for await (const entry of readEntriesFrom(client, from, KINDS)) {
    tally.entriesCount += 1;
    const body = parseBody(entry);
    if (entry.kind === 'erasure') await replayErasure(client, entry, body, tally);
    else if (entry.kind === 'delete') await replayDelete(client, entry, body, tally);
    else await replayKeyChange(client, entry, body, tally);
  }
  return tally;
}

function parseBody({ body, epoch, index }: PlacedEntry): Body {
  try {
    return JSON.parse(body) as Body;
  } catch {
    throw new BackupsError('BACKUPS_OBJECT_DAMAGED', 'the body of an entry is not JSON', {
      details: { epoch, index },
    });
  }
}

/**
 * An erasure that was asked for is carried out, whether or not the database of then saw its end: who asked
 * was allowed to, and it is on record.
 */
async function replayErasure(
  client: ClientBase,
  { tenantId }: PlacedEntry,
  body: Body,
  tally: Tally,
): Promise<void> {
  const parts = HEX_UUID.exec(body.subject ?? '');
  if (parts === null) return;
  const subjectId = parts.slice(1).join('-');
  tally.erasuresCount += body.facts?.['step'] === 'asked' ? 1 : 0;
  const records = await client.query(
    'DELETE FROM cell.records WHERE tenant_id = $1 AND subject_id = $2',
    [tenantId, subjectId],
  );
  // A key made after the entry is another one: the person came back later.
  const keys = await client.query(
    `UPDATE keys.subject_keys SET is_erased = true, wrap = NULL, shred_key_id = NULL
      WHERE tenant_id = $1 AND subject_id = $2 AND NOT is_erased AND created_at <= $3`,
    [tenantId, subjectId, body.at],
  );
  tally.recordsRemovedCount += records.rowCount ?? 0;
  tally.keysErasedCount += keys.rowCount ?? 0;
}

async function replayDelete(
  client: ClientBase,
  { tenantId }: PlacedEntry,
  body: Body,
  tally: Tally,
): Promise<void> {
  const { facts = {}, writes } = body;
  if (!BINDING_FACTS.some((name) => facts[name] !== undefined)) return;
  const items = parseWriteItems(writes?.items ?? '');
  const { rowCount } = await client.query(
    `DELETE FROM cell.records r USING unnest($2::uuid[], $3::int[]) AS gone (record_id, version)
      WHERE r.tenant_id = $1 AND r.record_id = gone.record_id AND r.version < gone.version`,
    [tenantId, items.map(({ recordId }) => recordId), items.map(({ version }) => version)],
  );
  tally.recordsRemovedCount += rowCount ?? 0;
}

/** The customer's last word on a key counts, also when the database never heard it. */
async function replayKeyChange(
  client: ClientBase,
  { tenantId }: PlacedEntry,
  body: Body,
  tally: Tally,
): Promise<void> {
  const { key, to } = body.facts ?? {};
  if (typeof key !== 'string' || (to !== 'disabled' && to !== 'enabled')) return;
  const { rowCount } = await client.query(
    `UPDATE keys.customer_keys SET state = $3, changed_at = $4
      WHERE tenant_id = $1 AND key_id = $2 AND state <> $3`,
    [tenantId, key, to, body.at],
  );
  tally.keyChangesCount += rowCount ?? 0;
}
