// SPDX-License-Identifier: Apache-2.0
import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exportLedger, toReportText, verifyDirectory } from '../commands/ledger.ts';
import { toLedgerKey } from '../supervisor/witnesses.ts';
import type { Stage } from './stage.ts';

/** Step 6: the ledger verified offline; then one byte of a copy changed. */
export async function tellLedger({ narrator, actors, system, tenant }: Stage): Promise<void> {
  narrator.step('The ledger of eu-de, checked by a stranger');
  const plan = system.layout.cells.find(({ residency }) => residency === 'eu-de');
  if (plan === undefined) throw new Error('assertion failed: there is a cell eu-de');
  const key = toLedgerKey(plan);
  const work = mkdtempSync(path.join(tmpdir(), 'bailiwick-ledger-'));
  try {
    const directory = path.join(work, 'export');
    const cell = await actors.in('eu-de', 'privacy-officer');
    const { filesCount } = await exportLedger(cell, { directory, tenant });
    narrator.run('bailiwick ledger export eu-de --output export', `${filesCount} files`);
    const good = await verifyDirectory(directory, { key });
    narrator.run('bailiwick ledger verify export', toReportText(good));
    narrator.claim(good.problems.length === 0, 'the verifier finds nothing wrong');
    narrator.claim(good.bodiesCount > 0, 'and opened the tenant’s own entries');
    const copy = path.join(work, 'copy');
    cpSync(directory, copy, { recursive: true });
    const changed = changeOneByte(copy);
    const bad = await verifyDirectory(copy, { key });
    narrator.run(
      `(one byte of ${changed} changed) bailiwick ledger verify copy`,
      toReportText(bad),
    );
    narrator.claim(bad.problems.length > 0, 'one changed byte is found and named');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Flips a bit in the middle of the first full bundle of entries; gives the file's name. */
function changeOneByte(directory: string): string {
  const file = listFiles(path.join(directory, 'tile', 'entries')).sort()[0];
  if (file === undefined) throw new Error('assertion failed: the log has entries');
  const bytes = readFileSync(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  return path.relative(directory, file);
}

function listFiles(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const file = path.join(directory, name);
    return statSync(file).isDirectory() ? listFiles(file) : [file];
  });
}
