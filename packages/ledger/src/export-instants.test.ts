// SPDX-License-Identifier: Apache-2.0
// Goal: an entry's instant lies between the cosigned times around it, or the verifier names the entry.
// Method: entries ten minutes apart, cosigned after the third; then each boundary from both sides.
import { describe, expect, it } from 'vitest';
import { aPrivateKey, toReader } from './a-log.ts';
import { type CosignedTime, INSTANT_TOLERANCE_SECONDS, inspectExport } from './export.ts';
import { writeExport } from './export-writer.ts';
import { commitEntry, EMPTY_ROOT, sha256 } from './hash.ts';
import { createLogSigner } from './signer.ts';
import { EMPTY_EDGE, extendLog, toServedTile } from './tree.ts';

const signer = createLogSigner({ origin: 'eu-de/main/ledger/1', privateKey: aPrivateKey('log') });
const toSeconds = (instant: string): number => Date.parse(instant) / 1000;
const INSTANTS = [
  '2026-02-28T23:50:00.000Z',
  '2026-03-01T00:00:00.123Z',
  '2026-03-01T00:10:00Z',
  '2026-03-01T00:20:00.000Z',
  '2026-03-01T00:30:00.000Z',
];

async function problemsOf(
  instants: readonly string[],
  cosigned: readonly CosignedTime[],
): Promise<readonly string[]> {
  const entries = instants.map((at, index) => {
    const body = JSON.stringify({ at, n: index, tenant: 't' });
    const salt = sha256(Buffer.from(`salt ${index}`));
    return { index, body, salt, commitment: commitEntry(salt, body) };
  });
  const empty = { epoch: 1, size: 0, root: EMPTY_ROOT };
  const commitments = Buffer.concat(entries.map(({ commitment }) => commitment));
  const { head, tiles } = extendLog(empty, EMPTY_EDGE, commitments);
  const files = new Map<string, Buffer>();
  async function* bodies(): AsyncGenerator<(typeof entries)[number]> {
    yield* entries;
  }
  for await (const { path, bytes } of writeExport({
    checkpoint: signer.signCheckpoint(head),
    tenant: 't',
    readTile: async (address) => {
      const tile = tiles.find(
        ({ level, index }) => level === address.level && index === address.index,
      );
      return tile && toServedTile(address, tile.bytes);
    },
    bodies: bodies(),
  })) {
    files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), bytes]));
  }
  const options = { originKey: signer.verifierKey, cosigned };
  const { problems } = await inspectExport(toReader(files), options);
  return problems.map(({ code, index }) => `${code} ${index}`);
}

describe('instants under cosigned times', () => {
  const third = toSeconds(INSTANTS[2] ?? '');
  const slack = INSTANT_TOLERANCE_SECONDS;

  it('pass where they lie between, and where nobody cosigned', async () => {
    expect(await problemsOf(INSTANTS, [])).toEqual([]);
    expect(await problemsOf(INSTANTS, [{ size: 3, atSeconds: third + 1 }])).toEqual([]);
    expect(await problemsOf(INSTANTS, [{ size: 5, atSeconds: third + 1_300 }])).toEqual([]);
  });

  it('are named when an entry is dated after a witness had seen it', async () => {
    expect(await problemsOf(INSTANTS, [{ size: 3, atSeconds: third - slack }])).toEqual([]);
    expect(await problemsOf(INSTANTS, [{ size: 3, atSeconds: third - slack - 1 }])).toEqual([
      'instant-implausible 2',
    ]);
  });

  it('are named when an entry is dated back behind a time at which it was not there', async () => {
    const fourth = toSeconds(INSTANTS[3] ?? '');
    expect(await problemsOf(INSTANTS, [{ size: 3, atSeconds: fourth + slack }])).toEqual([]);
    expect(await problemsOf(INSTANTS, [{ size: 3, atSeconds: fourth + slack + 1 }])).toEqual([
      'instant-implausible 3',
    ]);
  });

  it('are named when they cannot be read', async () => {
    const cosigned = [{ size: 1, atSeconds: third }];
    for (const at of ['', 'yesterday', '2026-03-01', '2026-03-01T00:10:00+01:00']) {
      expect(await problemsOf([at], cosigned), at).toEqual(['instant-implausible 0']);
    }
  });
});
