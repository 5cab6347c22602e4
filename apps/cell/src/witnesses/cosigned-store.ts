// SPDX-License-Identifier: Apache-2.0
// This cell's own checkpoints as witnesses cosigned them. Of each hour the newest stays for each number of
// cosignatures, so that a round with fewer witnesses does not hide one that had its quorum.
import type { Database } from '@bailiwick/postgres';

/** A checkpoint with cosignatures. */
export interface CosignedCheckpoint {
  readonly size: number;
  readonly cosignaturesCount: number;
  /** The note: the log's signature and those of the witnesses. */
  readonly note: string;
}

const SECONDS_PER_HOUR = 3_600;

/** Keeps a cosigned checkpoint unless a larger one is there. */
export async function saveCosigned(
  { pool }: Database,
  checkpoint: CosignedCheckpoint & { readonly epoch: number; readonly atSeconds: number },
): Promise<void> {
  const { epoch, atSeconds, cosignaturesCount, size, note } = checkpoint;
  await pool.query({
    name: 'cosigned-save',
    text: `INSERT INTO ledger.cosigned AS kept (epoch, hour, cosignature_count, size, note)
           VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (epoch, hour, cosignature_count)
           DO UPDATE SET size = excluded.size, note = excluded.note WHERE kept.size <= excluded.size`,
    values: [epoch, Math.floor(atSeconds / SECONDS_PER_HOUR), cosignaturesCount, size, note],
  });
}

/** Notes of what is kept of an epoch: of each hour the newest for each number of cosignatures. */
export async function listCosignedNotes(
  { pool }: Database,
  epoch: number,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ note: string }>({
    name: 'cosigned-list',
    text: 'SELECT note FROM ledger.cosigned WHERE epoch = $1 ORDER BY size, hour',
    values: [epoch],
  });
  return rows.map(({ note }) => note);
}

/** The newest checkpoint with a quorum, or, while there is none, the newest with the most cosignatures. */
export async function findCosigned(
  { pool }: Database,
  { epoch, quorum }: { readonly epoch: number; readonly quorum: number },
): Promise<CosignedCheckpoint | undefined> {
  const { rows } = await pool.query<{ size: string; count: number; note: string }>({
    name: 'cosigned-find',
    text: `SELECT size, cosignature_count AS count, note FROM ledger.cosigned WHERE epoch = $1
            ORDER BY least(cosignature_count, $2) DESC, size DESC, hour DESC, cosignature_count DESC
            LIMIT 1`,
    values: [epoch, quorum],
  });
  const [row] = rows;
  return row && { size: Number(row.size), cosignaturesCount: row.count, note: row.note };
}
