// SPDX-License-Identifier: Apache-2.0
import type { Transaction } from '../services.ts';

export interface Trust {
  readonly serial: number;
  readonly bundleKeys: readonly string[];
}

/** Most keys at once: the new one beside those it follows. */
const KEYS_COUNT_MAX = 8;

/** The keys that may sign bundles; the one in use is among them, under a new serial where it was not. */
export async function ensureTrust(tx: Transaction, key: string): Promise<Trust> {
  const { rows } = await tx.query<{ serial: string; bundle_keys: readonly string[] }>(
    'SELECT serial::text, bundle_keys FROM control.trust',
  );
  const [row] = rows;
  const known = row?.bundle_keys ?? [];
  if (row !== undefined && known.includes(key)) {
    return { serial: Number(row.serial), bundleKeys: known };
  }
  const serial = Number(row?.serial ?? 0) + 1;
  const bundleKeys = [key, ...known].slice(0, KEYS_COUNT_MAX);
  await tx.query(
    `INSERT INTO control.trust (serial, bundle_keys) VALUES ($1, $2)
     ON CONFLICT (only_one) DO UPDATE SET serial = excluded.serial,
       bundle_keys = excluded.bundle_keys`,
    [serial, JSON.stringify(bundleKeys)],
  );
  return { serial, bundleKeys };
}
