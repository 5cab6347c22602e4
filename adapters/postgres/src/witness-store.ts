// SPDX-License-Identifier: Apache-2.0
// What a cell cosigned as a witness, in its PostgreSQL: each step is one statement that names the version it
// stands on, and a trigger refuses to go back. Durable when it returns: `synchronous_commit` is on.
import type { WitnessStore } from '@bailiwick/ledger';
import type { Pool } from 'pg';

const INSERT = {
  name: 'witness-first',
  text: `INSERT INTO ledger.witnessed (origin, version, size, note)
         VALUES ($1, $2, $3, $4) ON CONFLICT (origin) DO NOTHING`,
};
const UPDATE = {
  name: 'witness-advance',
  text: `UPDATE ledger.witnessed SET version = $2, size = $3, note = $4
          WHERE origin = $1 AND version = $2 - 1 AND size <= $3`,
};

/** Makes the store over a pool of the cell's role. */
export function createPostgresWitnessStore(pool: Pool): WitnessStore {
  return {
    async find(origin) {
      const { rows } = await pool.query<{ version: string; note: string }>({
        name: 'witness-find',
        text: 'SELECT version, note FROM ledger.witnessed WHERE origin = $1',
        values: [origin],
      });
      const [row] = rows;
      return row && { version: Number(row.version), note: row.note };
    },
    async advance(origin, { version, size, note }) {
      const statement = version === 1 ? INSERT : UPDATE;
      const { rowCount } = await pool.query({
        ...statement,
        values: [origin, version, size, note],
      });
      return rowCount === 1;
    },
  };
}
