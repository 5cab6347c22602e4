// SPDX-License-Identifier: Apache-2.0
// Goal: no byte of a pack can be changed, added or taken away without its being found. Method: bits flipped
// in every region of the archive (headers, names, each file, directory, end) and at places drawn by a printed
// seed; cuts and additions; the whole verifier, with the pack's own key, which is the weakest way to check.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { aPack } from './a-pack.ts';
import { parseArchive, writeArchive } from './archive.ts';
import { inspectPack } from './verify.ts';

let bytes: Buffer;
beforeAll(async () => {
  ({ bytes } = await aPack({ entriesCount: 60 }));
});

const isFound = async (changed: Uint8Array): Promise<boolean> =>
  (await inspectPack(changed)).problems.length > 0;

/** Where each region of the archive begins, and what it is. */
function listRegions(): readonly (readonly [string, number, number])[] {
  const regions: [string, number, number][] = [];
  let at = 0;
  const files = parseArchive(bytes);
  const names = [...files.keys()];
  [...writeArchive(files)].forEach((part, index) => {
    const name = names[Math.floor(index / 2)];
    const what = name === undefined ? (index % 2 === 0 ? 'directory' : 'end') : name;
    if (part.length > 0) regions.push([`${what} (part ${index})`, at, part.length]);
    at += part.length;
  });
  return regions;
}

describe('a pack with a byte changed', () => {
  it('is whole as it is', async () => {
    expect((await inspectPack(bytes)).problems).toEqual([]);
  });

  it('is found in every region, at its beginning, middle and end', async () => {
    const regions = listRegions();
    expect(regions.length).toBeGreaterThan(40);
    const missed: string[] = [];
    for (const [what, start, length] of regions) {
      for (const at of new Set([start, start + Math.floor(length / 2), start + length - 1])) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ 1;
        if (!(await isFound(changed))) missed.push(`${what} at ${at}`);
      }
    }
    expect(missed).toEqual([]);
  });

  it('is found anywhere, whichever bit', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        expect(await isFound(changed)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it('is found when it is cut, or something stands before or behind it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(bytes.length - 1),
        fc.uint8Array({ minLength: 1, maxLength: 30 }),
        async (at, more) => {
          expect(await isFound(bytes.subarray(0, at))).toBe(true);
          expect(await isFound(Buffer.concat([bytes, more]))).toBe(true);
          expect(await isFound(Buffer.concat([more, bytes]))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('an archive', () => {
  it('gives back what was put in, whatever that is', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9._-]{0,12}(\/[a-z0-9][a-z0-9._-]{0,12}){0,2}$/);
    fc.assert(
      fc.property(fc.dictionary(name, fc.uint8Array({ maxLength: 200 })), (record) => {
        const files = new Map(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
        const read = parseArchive(Buffer.concat([...writeArchive(files)]));
        expect([...read].map(([key, value]) => [key, Buffer.from(value).toString('hex')])).toEqual(
          [...files].map(([key, value]) => [key, Buffer.from(value).toString('hex')]),
        );
      }),
    );
  });

  it.each(['../x', '/x', 'a//b', 'a/../b', '', 'ä', 'a b', `${'a'.repeat(256)}`])(
    'takes no file named %j',
    (name) => {
      expect(() => [...writeArchive(new Map([[name, Buffer.from('x')]]))]).toThrow(
        expect.objectContaining({ code: 'EVIDENCE_PACK_MALFORMED' }),
      );
    },
  );
});
