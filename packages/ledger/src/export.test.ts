// SPDX-License-Identifier: Apache-2.0
// Goal (invariant 10): a stranger with an export and the log's key finds any changed byte, and is told
// where. Method: every byte of a small export is changed in turn; in a large one, bytes whose place is known.
import { beforeAll, describe, expect, it } from 'vitest';
import { type ALog, aLog, anEntry, aPrivateKey, toReader } from './a-log.ts';
import { type ExportProblem, inspectExport, toBodyLine, verifyExport } from './export.ts';
import { createCosigner, createLogSigner } from './signer.ts';

type Files = Map<string, Buffer>;

const flip = (files: Files, path: string, at: number): Files => {
  const changed = new Map(files);
  const bytes = Buffer.from(changed.get(path) ?? '');
  bytes[at] = (bytes[at] ?? 0) ^ 0x01;
  return changed.set(path, bytes);
};

describe('an export', () => {
  let small: ALog;
  let large: ALog;
  let smallFiles: Files;
  let largeFiles: Files;
  beforeAll(async () => {
    small = aLog(9);
    large = aLog(66_000);
    smallFiles = await small.exportFiles();
    largeFiles = await large.exportFiles();
  });
  const problemsOf = async (
    log: ALog,
    files: Files,
    options: { readonly earlier?: string } = {},
  ): Promise<readonly ExportProblem[]> => {
    const originKey = log.signer.verifierKey;
    return (await inspectExport(toReader(files), { originKey, ...options })).problems;
  };

  it('of any size verifies, and says what it has seen', async () => {
    for (const size of [1, 2, 255, 256, 257, 1000]) {
      const log = aLog(size);
      const { verifierKey: originKey } = log.signer;
      const report = await verifyExport(toReader(await log.exportFiles()), { originKey });
      expect(report).toMatchObject({ size, problems: [], bodiesCount: Math.ceil(size / 3) });
      expect(report.root).toBe(Buffer.from(log.head.root).toString('hex'));
    }
    expect(await problemsOf(large, largeFiles)).toEqual([]);
  });

  it('does not verify with any one byte changed, in any file', async () => {
    let flips = 0;
    for (const [path, bytes] of smallFiles) {
      for (let at = 0; at < bytes.length; at += 1) {
        const problems = await problemsOf(small, flip(smallFiles, path, at));
        expect(problems.length, `${path} ${at}`).toBeGreaterThan(0);
        // A wrong manifest and wrong bodies look alike: either may be named.
        const isNamed = problems.some((problem) => problem.path === path);
        expect(isNamed || path === 'manifest.json', `${path} ${at}`).toBe(true);
        flips += 1;
      }
    }
    expect(flips).toBeGreaterThan(1_000);
  });

  it('does not verify with any file cut short, emptied, longer, gone or too many', async () => {
    for (const [path, bytes] of smallFiles) {
      const variants = [
        bytes.subarray(0, -1),
        Buffer.alloc(0),
        Buffer.concat([bytes, Buffer.of(10)]),
      ];
      for (const variant of variants) {
        const files = new Map(smallFiles).set(path, variant);
        expect((await problemsOf(small, files)).length, path).toBeGreaterThan(0);
      }
      const without = new Map(smallFiles);
      without.delete(path);
      expect(await problemsOf(small, without)).toContainEqual(
        expect.objectContaining({ code: 'file-missing', path }),
      );
    }
    const more = new Map(smallFiles).set('tile/0/001', Buffer.alloc(32));
    expect(await problemsOf(small, more)).toMatchObject([
      { code: 'file-unexpected', path: 'tile/0/001' },
    ]);
  });

  it('is told which entry was changed', async () => {
    const at = 34 * 17 + 5;
    const problems = await problemsOf(large, flip(largeFiles, 'tile/entries/100', at));
    expect(problems.filter(({ code }) => code === 'entry-changed')).toEqual([
      {
        code: 'entry-changed',
        path: 'tile/entries/100',
        index: 25_617,
        because: 'entry 25617 is not what the signed root commits to',
      },
    ]);
    expect(problems.every(({ code }) => code === 'entry-changed' || code === 'body-changed')).toBe(
      true,
    );
  });

  it.each([
    ['tile/0/100', 17],
    ['tile/0/257.p/208', 3],
    ['tile/1/000', 200],
    ['tile/1/001.p/1', 0],
    ['tile/2/000.p/1', 0],
  ])('is told which hash of %s was changed', async (path, hash) => {
    expect(await problemsOf(large, flip(largeFiles, path, hash * 32 + 9))).toEqual([
      { code: 'tile-changed', path, because: `hash ${hash} is not what the entries below it give` },
    ]);
  });

  it('is told which body was changed', async () => {
    const bodies = smallFiles.get('bodies.jsonl')?.toString() ?? '';
    const changed = bodies.replace('\\"n\\":3', '\\"n\\":4');
    expect(changed).not.toBe(bodies);
    const files = new Map(smallFiles).set('bodies.jsonl', Buffer.from(changed));
    expect(await problemsOf(small, files)).toEqual([
      {
        code: 'body-changed',
        path: 'bodies.jsonl',
        index: 3,
        because: 'line 2: body and salt are not what entry 3 commits to',
      },
    ]);
  });

  it('does not verify with bodies twice, out of order, of another tenant or of no entry', async () => {
    const lines = (smallFiles.get('bodies.jsonl')?.toString() ?? '').split('\n').slice(0, -1);
    const [first = '', second = '', third = ''] = lines;
    const beyond = toBodyLine({ ...anEntry(0), index: 9 }).trimEnd();
    for (const variant of [
      [first, first, third],
      [second, first, third],
      [first, second, beyond],
      [first, second, '{}'],
      [first, second, 'null'],
      [first, second, `${third} `],
      [first, second, third.replace('{"body"', '{ "body"')],
      [first, second],
    ]) {
      const text = `${variant.join('\n')}\n`;
      const files = new Map(smallFiles).set('bodies.jsonl', Buffer.from(text));
      expect((await problemsOf(small, files)).length, text).toBeGreaterThan(0);
    }
    const manifest = smallFiles.get('manifest.json')?.toString() ?? '';
    const foreign = new Map(smallFiles).set(
      'manifest.json',
      Buffer.from(manifest.replace('"t"', '"u"')),
    );
    expect(await problemsOf(small, foreign)).toContainEqual(
      expect.objectContaining({ code: 'body-changed', index: 0 }),
    );
  });

  it('of a rewritten log does not verify under an earlier checkpoint, signed as it may be', async () => {
    const earlier = small.checkpoint;
    const longer = aLog(20);
    expect(await problemsOf(longer, await longer.exportFiles(), { earlier })).toEqual([]);
    const rewritten = aLog(20, { change: 4 });
    expect(await problemsOf(rewritten, await rewritten.exportFiles(), { earlier })).toMatchObject([
      { code: 'history-changed', because: 'the first 9 entries are not what they were' },
    ]);
    const truncated = aLog(5);
    expect(await problemsOf(truncated, await truncated.exportFiles(), { earlier })).toMatchObject([
      { code: 'history-changed', because: 'the log had 9 entries before and has 5 now' },
    ]);
    expect(await problemsOf(longer, await longer.exportFiles(), { earlier: 'x' })).toMatchObject([
      { code: 'history-changed' },
    ]);
  });

  it('signed by somebody else does not verify', async () => {
    const { verifierKey: originKey } = createLogSigner({
      origin: small.signer.verifierKey.name,
      privateKey: aPrivateKey('somebody'),
    });
    await expect(verifyExport(toReader(smallFiles), { originKey })).rejects.toMatchObject({
      code: 'LEDGER_EXPORT_INVALID',
      problems: [{ code: 'checkpoint-invalid', path: 'checkpoint' }],
    });
  });

  it('names the witnesses that cosigned', async () => {
    const witness = createCosigner({ name: 'w.example/1', privateKey: aPrivateKey('w') });
    const text = small.checkpoint.slice(0, small.checkpoint.indexOf('\n\n') + 1);
    const cosigned = small.checkpoint + witness.cosign(text, { atSeconds: 9 });
    const files = new Map(smallFiles).set('checkpoint', Buffer.from(cosigned));
    const report = await verifyExport(toReader(files), {
      originKey: small.signer.verifierKey,
      witnesses: [witness.verifierKey],
    });
    expect(report.witnesses).toEqual(['w.example/1']);
  });

  it('of nothing is told to be nothing', async () => {
    expect(await problemsOf(small, new Map())).toMatchObject([
      { code: 'file-missing', path: 'checkpoint' },
    ]);
  });
});
