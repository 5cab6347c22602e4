// SPDX-License-Identifier: Apache-2.0
import type { CharterAnswer } from '@bailiwick/contracts';
import type { Transaction } from '../services.ts';

/** A charter as it is kept. */
export interface StoredCharter extends CharterAnswer {
  readonly freshForMs: number;
}

/** The newest charter. */
export async function findCharter(tx: Transaction): Promise<StoredCharter | undefined> {
  const { rows } = await tx.query<{
    serial: string;
    charter: string;
    text_hash: string;
    fresh_for_ms: number;
  }>(
    `SELECT serial::text, charter, text_hash, fresh_for_ms FROM control.charters
     ORDER BY control.charters.serial DESC LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return undefined;
  return {
    serial: Number(row.serial),
    text: row.charter,
    textHash: row.text_hash,
    freshForMs: row.fresh_for_ms,
  };
}

/** Adds a charter under the next serial; a serial that exists is a conflict of the primary key. */
export async function insertCharter(tx: Transaction, charter: StoredCharter): Promise<void> {
  await tx.query(
    `INSERT INTO control.charters (serial, charter, text_hash, fresh_for_ms)
     VALUES ($1, $2, $3, $4)`,
    [charter.serial, charter.text, charter.textHash, charter.freshForMs],
  );
}
