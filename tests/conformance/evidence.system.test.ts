// SPDX-License-Identifier: Apache-2.0
// Goal: a stranger with nothing but a pack and the command learns what holds (invariant 10). Method: the real
// command over what the story did: a pack with its key events and receipts, made, made again, damaged, and
// held against keys and policies from elsewhere.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArchive } from '@bailiwick/evidence';
import { createSeededRandom } from '@bailiwick/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runBailiwick, toJson } from '../system/command.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';

const SEED = 20_261_120;
let system: SharedSystem;
let work: string;
let pack: string;
let bytes: Buffer;

const run = (...args: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', system.state, '--account', 'privacy-officer', '--json', ...args]);
/** The command as a stranger has it: no configuration, no system to ask. */
const alone = (...args: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', path.join(work, 'nowhere'), '--json', ...args]);
const put = (name: string, content: string | Uint8Array): string => {
  const file = path.join(work, name);
  writeFileSync(file, content);
  return file;
};

beforeAll(async () => {
  system = await useSystem();
  work = mkdtempSync(path.join(tmpdir(), 'bailiwick-evidence-'));
  pack = path.join(work, 'pack.zip');
  toJson(await run('evidence', 'create', 'eu-de', '--output', pack));
  bytes = readFileSync(pack);
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('an evidence pack of what the story did', () => {
  it('verifies offline, with the key from elsewhere', async () => {
    const key = put('log.vkey', system.cell('eu-de').ledgerKey);
    const report = toJson(await alone('evidence', 'verify', pack, '--key', key));
    expect(report).toMatchObject({ isVerified: true, problems: [], isKeyFromElsewhere: true });
    expect(report['entriesCount']).toBeGreaterThan(50);
  });

  it('says in words what is proven, what is stated, and that no witness was asked', async () => {
    const ended = await runBailiwick(['evidence', 'verify', pack]);
    expect(ended.code, ended.stderr).toBe(0);
    expect(ended.stdout).toContain('proven:');
    expect(ended.stdout).toContain('only stated:');
    expect(ended.stdout).toContain('cosignatures in the pack were NOT checked');
    expect(ended.stdout).toContain('give `--key`');
  });

  it('holds the switched key with receipts that the processes signed', () => {
    const files = parseArchive(bytes);
    const read = (name: string): string => Buffer.from(files.get(name) ?? []).toString();
    const figures = JSON.parse(read('figures.json'));
    expect(figures.keys.disabled).toBeGreaterThanOrEqual(1);
    expect(figures.keys.revokeMsMax).toBeGreaterThan(0);
    expect(figures.decisions.denied).toBeGreaterThan(0);
    const receipts = read('receipts.jsonl').trimEnd().split('\n');
    expect(JSON.parse(receipts[0] ?? '').statements.length).toBeGreaterThan(0);
    expect(read('charter/article-30.md')).toContain('# ');
    expect(JSON.parse(read('charter/proof.json')).holds).toBe(true);
    expect(read('registers/transfers.csv').split('\r\n').length).toBeGreaterThan(2);
  });

  it('is the same bytes when it is made again', async () => {
    const again = path.join(work, 'again.zip');
    toJson(await run('evidence', 'create', 'eu-de', '--output', again, '--like', pack));
    expect(Buffer.compare(readFileSync(again), bytes)).toBe(0);
  });

  it(`does not verify with any byte flipped (seed ${SEED})`, async () => {
    const random = createSeededRandom(SEED);
    for (let round = 0; round < 6; round += 1) {
      const changed = Buffer.from(bytes);
      const at = Buffer.from(random.bytes(6)).readUIntBE(0, 6) % bytes.length;
      changed[at] = (changed[at] ?? 0) ^ 4;
      const ended = await alone('evidence', 'verify', put('flipped.zip', changed));
      expect(ended.code, `byte ${at}`).toBe(4);
      expect(JSON.parse(ended.stdout)).toMatchObject({ isVerified: false, proven: [] });
    }
  });

  it('does not verify under the key of another cell', async () => {
    const key = put('other.vkey', system.cell('uk-lon').ledgerKey);
    expect((await alone('evidence', 'verify', pack, '--key', key)).code).toBe(4);
  });

  it('is not made for who may not', async () => {
    const ended = await runBailiwick([
      ...['--state', system.state, '--account', 'analyst', '--json'],
      ...['evidence', 'create', 'eu-de', '--output', path.join(work, 'no.zip')],
    ]);
    expect(ended.code).toBe(3);
    expect(ended.stderr).toContain('CELL_ROLE_FORBIDDEN');
  });
});
