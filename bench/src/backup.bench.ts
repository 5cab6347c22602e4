// SPDX-License-Identifier: Apache-2.0
// Backup and restore of 60,000 sealed records by the cell's own code (in a process of its own), beside plain COPY
// of the same rows out to a synced file and in from it, on the same server. Ours also seals each frame, hashes,
// reads all of it back and verifies it (backup), opens it, replays the ledger and puts row security back
// (restore). One unrecorded round, then three; ours and the baseline in turn.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { type BenchDocument, type BenchResult, median, toBenchDocument } from './document.ts';

const RUNNER = path.resolve(
  import.meta.dirname,
  '../../apps/cell/src/backups/testing/bench-backup.ts',
);
const RUN_MS_MAX = 300_000;

interface Measured {
  readonly megabytes: number;
  readonly rounds: readonly Readonly<Record<'backup' | 'copyOut' | 'restore' | 'copyIn', number>>[];
}

function toResult(
  measured: Measured,
  pair: {
    readonly id: string;
    readonly what: string;
    readonly ours: 'backup' | 'restore';
    readonly theirs: 'copyOut' | 'copyIn';
    readonly baseline: string;
  },
): BenchResult {
  const { rounds } = measured;
  return {
    id: pair.id,
    what: pair.what,
    unit: 'MB/s',
    value: median(rounds.map((round) => round[pair.ours])),
    baseline: { name: pair.baseline, value: median(rounds.map((round) => round[pair.theirs])) },
    ratio: median(rounds.map((round) => round[pair.ours] / round[pair.theirs])),
  };
}

/** Runs the suite. */
export async function run(): Promise<BenchDocument> {
  const { stdout } = await promisify(execFile)(process.execPath, [RUNNER], { timeout: RUN_MS_MAX });
  const measured = JSON.parse(stdout) as Measured;
  const size = `${Math.round(measured.megabytes)} MB of sealed records`;
  return toBenchDocument('backup', [
    toResult(measured, {
      id: 'backup.take',
      what: `a full backup of ${size}, sealed, synced and read back`,
      ...{ ours: 'backup', theirs: 'copyOut', baseline: 'COPY out to a synced file' },
    }),
    toResult(measured, {
      id: 'backup.restore',
      what: `a restore of ${size} into a new database, verified and replayed, in one transaction`,
      ...{ ours: 'restore', theirs: 'copyIn', baseline: 'COPY in from a file, in one transaction' },
    }),
  ]);
}
