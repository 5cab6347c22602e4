// SPDX-License-Identifier: Apache-2.0
import type { BundleCell, CellRequest } from '@bailiwick/contracts';
import { type CellId, parseCellId, parseResidency, toResidency } from '@bailiwick/kernel';
import type { Transaction } from '../services.ts';

interface CellRow {
  readonly cell: string;
  readonly residency: string;
  readonly name: string;
  readonly addresses: readonly { readonly host: string; readonly port: number }[];
  readonly spiffe_id: string;
  readonly internal_host: string;
  readonly internal_port: number;
  readonly location: string;
  readonly operator: string;
  readonly signing_key: string | null;
}

function toCell(row: CellRow): BundleCell {
  return {
    cell: parseCellId(row.cell),
    residency: parseResidency(row.residency),
    name: row.name,
    addresses: row.addresses,
    spiffeId: row.spiffe_id,
    internal: { host: row.internal_host, port: row.internal_port },
    location: row.location,
    operator: row.operator,
    ...(row.signing_key === null ? {} : { signingKey: row.signing_key }),
  };
}

/** All cells, by id. */
export async function listCells(tx: Transaction): Promise<readonly BundleCell[]> {
  const { rows } = await tx.query<CellRow>('SELECT * FROM control.cells ORDER BY cell');
  return rows.map(toCell);
}

export async function findCell(tx: Transaction, cell: CellId): Promise<BundleCell | undefined> {
  const { rows } = await tx.query<CellRow>('SELECT * FROM control.cells WHERE cell = $1', [cell]);
  return rows[0] === undefined ? undefined : toCell(rows[0]);
}

/** Registers a cell or changes how it is reached. Its signing key stays. */
export async function putCell(tx: Transaction, cell: CellId, request: CellRequest): Promise<void> {
  await tx.query(
    `INSERT INTO control.cells (cell, residency, name, addresses, spiffe_id, internal_host,
       internal_port, location, operator)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (cell) DO UPDATE SET name = excluded.name, addresses = excluded.addresses,
       spiffe_id = excluded.spiffe_id, internal_host = excluded.internal_host,
       internal_port = excluded.internal_port, location = excluded.location,
       operator = excluded.operator`,
    [
      cell,
      toResidency(cell),
      request.name,
      JSON.stringify(request.addresses),
      request.spiffeId,
      request.internal.host,
      request.internal.port,
      request.location,
      request.operator,
    ],
  );
}

/** Keeps the first key that a cell announces; gives the key that is kept. */
export async function announceKey(
  tx: Transaction,
  cell: CellId,
  key: string,
): Promise<string | undefined> {
  const { rows } = await tx.query<{ signing_key: string }>(
    `UPDATE control.cells SET signing_key = coalesce(signing_key, $2) WHERE cell = $1
     RETURNING signing_key`,
    [cell, key],
  );
  return rows[0]?.signing_key;
}
