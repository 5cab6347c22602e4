// SPDX-License-Identifier: Apache-2.0
import type { CharterAnswer } from '@bailiwick/contracts';
import type { Transaction } from '../services.ts';

/** A charter as it is kept. */
export interface StoredCharter extends CharterAnswer {
  readonly freshForMs: number;
}

interface CharterRow {
  readonly serial: string;
  readonly charter: string;
  readonly text_hash: string;
  readonly fresh_for_ms: number;
}

const SELECT = 'SELECT serial::text, charter, text_hash, fresh_for_ms FROM control.charters';

const toCharter = (row: CharterRow): StoredCharter => ({
  serial: Number(row.serial),
  text: row.charter,
  textHash: row.text_hash,
  freshForMs: row.fresh_for_ms,
});

/** The newest charter. */
export async function findCharter(tx: Transaction): Promise<StoredCharter | undefined> {
  const { rows } = await tx.query<CharterRow>(
    `${SELECT} ORDER BY control.charters.serial DESC LIMIT 1`,
  );
  return rows[0] === undefined ? undefined : toCharter(rows[0]);
}

/** The charter that had this serial. */
export async function findCharterAt(
  tx: Transaction,
  serial: number,
): Promise<StoredCharter | undefined> {
  const { rows } = await tx.query<CharterRow>(`${SELECT} WHERE serial = $1`, [serial]);
  return rows[0] === undefined ? undefined : toCharter(rows[0]);
}

/** The serial that no charter and no candidate has had. */
export async function nextSerial(tx: Transaction): Promise<number> {
  const { rows } = await tx.query<{ next: string }>(
    `SELECT (greatest((SELECT coalesce(max(serial), 0) FROM control.charters),
       (SELECT coalesce(max(serial), 0) FROM control.rollouts)) + 1)::text AS next`,
  );
  return Number(rows[0]?.next ?? 1);
}

/** Adds a charter under the next serial; a serial that exists is a conflict of the primary key. */
export async function insertCharter(tx: Transaction, charter: StoredCharter): Promise<void> {
  await tx.query(
    `INSERT INTO control.charters (serial, charter, text_hash, fresh_for_ms)
     VALUES ($1, $2, $3, $4)`,
    [charter.serial, charter.text, charter.textHash, charter.freshForMs],
  );
}
