// SPDX-License-Identifier: Apache-2.0
// Entries with the proofs that they are in the log, for the tenant whose they are.
import type { EntryAnswer, InclusionProof } from '@bailiwick/contracts';
import { type EntryId, parseEntryId, type TenantId } from '@bailiwick/kernel';
import {
  commitEntry,
  HASH_SIZE_BYTES,
  LedgerError,
  type StoredCheckpoint,
  TILE_WIDTH,
  toLeafHash,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { CellLedger } from './cell-ledger.ts';
import { findEntries, listEntries, type StoredEntry, toBody } from './entry-store.ts';

export interface ProofPorts {
  readonly database: Database;
  readonly ledger: CellLedger;
}

/** The tenant's entries among these ids, each with its proof where a checkpoint covers it. */
export async function proveEntries(
  { database, ledger }: ProofPorts,
  options: { readonly tenantId: TenantId; readonly entryIds: readonly EntryId[] },
): Promise<ReadonlyMap<EntryId, EntryAnswer>> {
  const { epoch } = ledger;
  const { tenantId, entryIds } = options;
  const entries = await database.withTenant(tenantId, (tx) => findEntries(tx, { epoch, entryIds }));
  const checkpoint = await ledger.store.readCheckpoint(epoch);
  const answers = await Promise.all(entries.map((entry) => prove(ledger, entry, checkpoint)));
  return new Map(entries.map((entry, at) => [entry.entryId, answers[at] ?? toAnswer(entry)]));
}

/** Entries as they are answered, with their proofs where a checkpoint covers them and they are asked for. */
export async function proveStored(
  ledger: CellLedger,
  entries: readonly StoredEntry[],
  withProofs: boolean,
): Promise<readonly EntryAnswer[]> {
  const { epoch } = ledger;
  if (!withProofs) return entries.map((entry) => toPlacedAnswer(entry, epoch));
  const checkpoint = await ledger.store.readCheckpoint(epoch);
  return Promise.all(
    entries.map((entry) =>
      // A proof leads to the checkpoint of the epoch that is open.
      entry.epoch === epoch ? prove(ledger, entry, checkpoint) : toPlacedAnswer(entry, epoch),
    ),
  );
}

/** The tenant's newest entries, without proofs. */
export async function listNewest(
  { database, ledger }: ProofPorts,
  options: {
    readonly tenantId: TenantId;
    readonly before: string | undefined;
    readonly limit: number;
  },
): Promise<readonly EntryAnswer[]> {
  const { epoch } = ledger;
  const before = options.before === undefined ? undefined : parseEntryId(options.before);
  const entries = await database.withTenant(options.tenantId, (tx) =>
    listEntries(tx, { epoch, before, limit: options.limit }),
  );
  return entries.map(toAnswer);
}

function toPlacedAnswer(entry: StoredEntry, epoch: number): EntryAnswer {
  const isOlder = entry.epoch !== undefined && entry.epoch !== epoch;
  return { ...toAnswer(entry), ...(isOlder ? { epoch: entry.epoch } : {}) };
}

function toAnswer(entry: StoredEntry): EntryAnswer {
  const { entryId, index, salt, body } = entry;
  const place = index === undefined ? {} : { index };
  if (salt === undefined || body === undefined) return { entry: entryId, ...place };
  return {
    entry: entryId,
    body: { ...toBody(entry) },
    canonicalBody: body,
    salt: salt.toString('base64url'),
    leafHash: toLeafHash(commitEntry(salt, body)).toString('hex'),
    ...place,
  };
}

async function prove(
  ledger: CellLedger,
  entry: StoredEntry,
  checkpoint: StoredCheckpoint | undefined,
): Promise<EntryAnswer> {
  const answer = toAnswer(entry);
  const { index } = entry;
  if (checkpoint === undefined || index === undefined || index >= checkpoint.size) return answer;
  const { size, note } = checkpoint;
  const leafHash = answer.leafHash ?? (await readLeafHash(ledger, index));
  const hashes = await ledger.prover.proveInclusion({ index, size });
  const proof: InclusionProof = {
    index,
    size,
    hashes: hashes.map((hash) => Buffer.from(hash).toString('base64')),
    checkpoint: note,
  };
  return { ...answer, leafHash, proof };
}

/** The leaf of an entry whose body is gone: the tree keeps it. */
async function readLeafHash(ledger: CellLedger, index: number): Promise<string> {
  const width = (index % TILE_WIDTH) + 1;
  const address = { level: 0, index: Math.floor(index / TILE_WIDTH), width };
  const tile = await ledger.store.readTile(ledger.epoch, address);
  if (tile === undefined) throw new LedgerError('LEDGER_TILE_MISSING', 'a tile is absent');
  return Buffer.from(tile.subarray(-HASH_SIZE_BYTES)).toString('hex');
}
