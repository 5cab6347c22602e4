// SPDX-License-Identifier: Apache-2.0
// Goal: a pack is what its sources give, the same bytes each time; who verifies it learns what holds, and any
// forgery, not only damage, is named. Method: a log with everything in it; each forgery as somebody would make
// it who holds the pack and no key, or who holds the log's key and belies what is on record.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLogSigner, EXPORT_FILES } from '@bailiwick/ledger';
import { beforeAll, describe, expect, it } from 'vitest';
import { type APack, aCharter, aKey, aPack, ORIGIN, someSources } from './a-pack.ts';
import { parseArchive, writeArchive } from './archive.ts';
import { makePack, type PackSources } from './pack.ts';
import { sha256 } from './statement.ts';
import { inspectPack, type PackProblem } from './verify.ts';

let pack: APack;
beforeAll(async () => {
  pack = await aPack();
});

const archive = (files: ReadonlyMap<string, Uint8Array>): Buffer =>
  Buffer.concat([...writeArchive(files)]);
const codesOf = (problems: readonly PackProblem[]): readonly string[] => [
  ...new Set(problems.map(({ code }) => code)),
];
const inspect = async (bytes: Uint8Array): Promise<readonly string[]> =>
  codesOf((await inspectPack(bytes, { originKey: pack.key })).problems);
/** A pack made anew over other sources, as a forger would who has no key. */
const remake = (changes: Partial<PackSources>): Buffer =>
  archive(makePack({ ...pack.sources, ...changes }).files);

describe('a pack', () => {
  it('verifies, and says what is proven and what is only stated', async () => {
    const report = await inspectPack(pack.bytes, { originKey: pack.key });
    expect(report.problems).toEqual([]);
    expect(report).toMatchObject({
      origin: ORIGIN,
      size: 304,
      cell: 'eu-de/main',
      entriesCount: 300,
      isKeyFromElsewhere: true,
    });
    expect(report.proven.length).toBeGreaterThan(3);
    expect(report.stated.join()).toContain('everything that happened was entered');
  });

  it('says without a key from elsewhere that its own key is only stated', async () => {
    const report = await inspectPack(pack.bytes);
    expect(report.problems).toEqual([]);
    expect(report.isKeyFromElsewhere).toBe(false);
    expect(report.stated[0]).toContain('--key');
  });

  it('is the same bytes each time', async () => {
    expect(Buffer.compare((await aPack()).bytes, pack.bytes)).toBe(0);
    expect(sha256((await aPack({ entriesCount: 299 })).bytes)).not.toBe(sha256(pack.bytes));
  });

  it('is a ZIP file that other tools read', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-pack-'));
    try {
      const file = path.join(folder, 'pack.zip');
      writeFileSync(file, pack.bytes);
      const script =
        'import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint(len(z.namelist()), z.read("README.md").decode()[:29])';
      let told: string;
      try {
        told = execFileSync('python3', ['-c', script, file], { encoding: 'utf8' });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // no other tool here
        throw error;
      }
      expect(told).toBe(`${parseArchive(pack.bytes).size} # Evidence of cell eu-de/main\n`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('counts what the entries say', () => {
    const files = parseArchive(pack.bytes);
    const figures = JSON.parse(Buffer.from(files.get('figures.json') ?? []).toString());
    expect(figures).toMatchObject({
      entries: { count: 300 },
      decisions: { denied: 34, allowed: 266, denialsByRule: { 'no-profiles-to-america': 34 } },
      keys: { disabled: 6, enabled: 0, revokeMsMax: 70, unfinished: 0 },
      erasures: { asked: 6, done: 6, unfinished: [] },
      incidents: { refusals: { CELL_ROLE_FORBIDDEN: 6 }, misdirected: 0, lateReleases: 0 },
    });
    const keys = Buffer.from(files.get('registers/keys.csv') ?? []).toString();
    expect(keys.trimEnd().split('\r\n').length).toBe(13);
    expect(Buffer.from(files.get('README.md') ?? []).toString()).toContain('300');
  });

  it('holds the charter to its proof, also where a property is broken', async () => {
    const retailer = await aPack({ charter: aCharter('retailer') });
    expect((await inspectPack(retailer.bytes, { originKey: retailer.key })).problems).toEqual([]);
    const broken = await aPack({ charter: aCharter('broken') });
    const report = await inspectPack(broken.bytes, { originKey: broken.key });
    expect(report.problems).toEqual([]);
    const files = parseArchive(broken.bytes);
    expect(Buffer.from(files.get('README.md') ?? []).toString()).toContain('do NOT all hold');
    const proof = JSON.parse(Buffer.from(files.get('charter/proof.json') ?? []).toString());
    expect(proof.holds).toBe(false);
  });
});

describe('a forged pack', () => {
  it('shows a changed figure, register, report or first page', async () => {
    const names = [...parseArchive(pack.bytes).keys()].filter(
      (name) => !/^(?:ledger\/|receipts|statement|charter\/charter|log)/.test(name),
    );
    expect(names.length).toBeGreaterThanOrEqual(11);
    for (const name of names) {
      const files = new Map(parseArchive(pack.bytes));
      const text = Buffer.from(files.get(name) ?? []).toString();
      files.set(name, Buffer.from(text.replace(/[0-9]/, (digit) => (digit === '9' ? '8' : '9'))));
      const { problems } = await inspectPack(archive(files), { originKey: pack.key });
      expect(problems.map(({ file }) => file)).toContain(name);
      expect(codesOf(problems)).toEqual(['file-changed']);
    }
  });

  it('shows a file too many and one too few', async () => {
    const more = new Map(parseArchive(pack.bytes)).set('extra.txt', Buffer.from('x'));
    expect(await inspect(archive(more))).toEqual(['file-changed']);
    const fewer = new Map(parseArchive(pack.bytes));
    fewer.delete('figures.json');
    expect(await inspect(archive(fewer))).toEqual(['file-changed']);
  });

  it('shows an entry taken out, with everything derived made again', async () => {
    const bodies = Buffer.from(pack.sources.ledger.get(EXPORT_FILES.bodies) ?? []).toString();
    const lines = bodies.split('\n');
    lines.splice(17, 1);
    const ledger = new Map(pack.sources.ledger)
      .set(EXPORT_FILES.bodies, Buffer.from(lines.join('\n')))
      .set(
        EXPORT_FILES.manifest,
        Buffer.from(
          Buffer.from(pack.sources.ledger.get(EXPORT_FILES.manifest) ?? [])
            .toString()
            .replace('"bodies":304', '"bodies":303'),
        ),
      );
    expect(await inspect(remake({ ledger }))).toEqual(['statement-contradicted']);
  });

  it('shows another charter, other receipts, and a receipt that nobody signed', async () => {
    const charter = pack.sources.charter.replace('because:', 'because: ');
    expect(charter).not.toBe(pack.sources.charter);
    expect(await inspect(remake({ charter }))).toEqual(['statement-contradicted']);
    expect(await inspect(remake({ receipts: '' }))).toEqual(['statement-contradicted']);
    const [first = ''] = pack.sources.receipts.split('\n');
    const swapped = pack.sources.receipts.replace(
      first,
      first.replace(
        /"signature":"(.)/,
        (_, letter: string) => `"signature":"${letter === 'A' ? 'B' : 'A'}`,
      ),
    );
    expect(await inspect(remake({ receipts: swapped }))).toEqual([
      'statement-contradicted',
      'receipt-unverified',
    ]);
  });

  it('shows a statement that the log does not have', async () => {
    const statement = pack.sources.statement.replace('"serial":1', '"serial":2');
    expect(() => remake({ statement })).toThrow(/puts this statement on record/);
    const files = new Map(parseArchive(pack.bytes)).set('statement.json', Buffer.from(statement));
    expect(await inspect(archive(files))).toEqual(['source-invalid']);
  });

  it.each([
    ['fewer entries', { bodies: { count: 299, sha256: '0'.repeat(64) } }],
    ['another log', { origin: 'us-va/main/ledger/1' }],
    ['another charter', { charter: { hash: '0'.repeat(64), serial: 1, sha256: '0'.repeat(64) } }],
    ['other receipts', { receipts: { count: 5, sha256: '0'.repeat(64) } }],
  ])('shows a cell that put on record %s than there are', async (_what, forge) => {
    expect(await inspect((await aPack({ forge })).bytes)).toEqual(['statement-contradicted']);
  });

  it('shows a log signed by another key, and one without its signature', async () => {
    const other = createLogSigner({ origin: ORIGIN, privateKey: aKey('another') });
    const report = await inspectPack(pack.bytes, { originKey: other.verifierKey });
    expect(codesOf(report.problems)).toEqual(['log-unverified']);
    expect(report.proven).toEqual([]);
    const forged = new Map(pack.sources.ledger).set(EXPORT_FILES.checkpoint, Buffer.from('x\n'));
    expect(() => remake({ ledger: forged })).toThrow(/checkpoint/);
  });

  it('shows a log that is not the one of an earlier checkpoint', async () => {
    const { sources } = await someSources({ entriesCount: 40 });
    const earlier = sources.ledger.get(EXPORT_FILES.checkpoint) ?? new Uint8Array(0);
    const report = await inspectPack(pack.bytes, { originKey: pack.key, earlier });
    expect(codesOf(report.problems)).toEqual(['log-unverified']);
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no archive', Buffer.from('hello')],
    ['an empty archive', archive(new Map())],
  ])('is %s', async (_what, bytes) => {
    const { problems, proven } = await inspectPack(bytes, { originKey: pack.key });
    expect(problems.length).toBeGreaterThan(0);
    expect(proven).toEqual([]);
  });
});
