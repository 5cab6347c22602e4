// SPDX-License-Identifier: Apache-2.0
// The ledger's store in files: ready entries made durable in batches, against writing and syncing the same bytes.
// Same directory, same batches, one flush in flight in both; ours has each batch with checksum and place in the
// journal, and is sequenced into tiles before the clock stops.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createUuidV7, parseEntryId, type TenantId } from '@bailiwick/kernel';
import { commitEntry, type NewEntry } from '@bailiwick/ledger';
import { openFileLogStore, prepareLogDirectory } from '@bailiwick/log-files';
import { type BenchResult, measureRounds } from './document.ts';

const BATCH_COUNT = 256;
const ROUND_BATCHES_COUNT = 200;
/** The next batch is encoded while one is on its way to the disk. */
const LANES_COUNT = 2;
const ports = {
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  random: { bytes: (size: number) => randomBytes(size) },
};

function someBatches(
  tenantId: TenantId,
  toBody: (index: number) => string,
): readonly (readonly NewEntry[])[] {
  return Array.from({ length: ROUND_BATCHES_COUNT }, (_, batch) =>
    Array.from({ length: BATCH_COUNT }, (_, index): NewEntry => {
      const salt = randomBytes(32);
      const body = toBody(batch * BATCH_COUNT + index);
      const entryId = parseEntryId(createUuidV7(ports));
      return { tenantId, entryId, kind: 'read', salt, body, commitment: commitEntry(salt, body) };
    }),
  );
}

/** `ledger.append.file` */
export async function measureFileAppend(
  tenantId: TenantId,
  toBody: (index: number) => string,
): Promise<BenchResult> {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-log-'));
  prepareLogDirectory(directory);
  const store = openFileLogStore(directory);
  const plain = await open(path.join(directory, 'plain'), 'a');
  const batches = someBatches(tenantId, toBody);
  const count = BATCH_COUNT * ROUND_BATCHES_COUNT;
  const bytes = batches.map((batch) =>
    Buffer.concat(
      batch.flatMap(({ salt, body, commitment }) => [salt, commitment, Buffer.from(body)]),
    ),
  );
  const appendOurs = async (): Promise<number> => {
    const startedMs = performance.now();
    let next = 0;
    const lane = async (): Promise<void> => {
      for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
        await store.append(batch);
      }
    };
    await Promise.all(Array.from({ length: LANES_COUNT }, lane));
    for (;;) {
      const step = await store.sequence({ epoch: 1, entriesCountMax: 4_096 });
      if (step.entriesCount === 0) break;
    }
    return (count / (performance.now() - startedMs)) * 1000;
  };
  const appendPlain = async (): Promise<number> => {
    const startedMs = performance.now();
    for (const one of bytes) {
      await plain.write(one);
      await plain.datasync();
    }
    return (count / (performance.now() - startedMs)) * 1000;
  };
  try {
    const { value, baseline, ratio } = await measureRounds({
      ours: appendOurs,
      baseline: appendPlain,
      rounds: 3,
    });
    return {
      id: 'ledger.append.file',
      what: `ready entries durable in files in batches of ${BATCH_COUNT}, one fdatasync in flight, then all sequenced into tiles; one warm-up round`,
      unit: 'entries/s',
      value,
      baseline: { name: 'write and fdatasync of the same bytes, batch by batch', value: baseline },
      ratio,
    };
  } finally {
    await store.close();
    await plain.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
