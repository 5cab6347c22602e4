// SPDX-License-Identifier: Apache-2.0
// Goal: an auditor finds what is on record with the command alone, takes it to a SIEM, and holds one entry
// against the log without believing the cell. Method: the command over what the story did.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseTlogProof, parseVerifierKey, verifyTlogProof } from '@bailiwick/ledger/verify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ended, runBailiwick, toJson } from '../system/command.ts';
import { type SharedSystem, useSystem } from '../system/shared.ts';

/** An entry or an event as the command tells it; a test reads the fields that it wants. */
// biome-ignore lint/suspicious/noExplicitAny: output of a command, held against what is expected of it.
type Item = any;

let system: SharedSystem;
let work: string;
const ask = (account: string, args: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', system.state, '--account', account, ...args]);
const search = async (...args: readonly string[]): Promise<readonly Item[]> => {
  const ended = await ask('privacy-officer', ['--json', 'ledger', 'search', 'eu-de', ...args]);
  expect(ended.code, ended.stderr).toBe(0);
  const { items } = JSON.parse(ended.stdout) as { items: readonly Item[] };
  return items;
};
const lines = (ended: Ended): readonly Item[] => {
  expect(ended.code, ended.stderr).toBe(0);
  return ended.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
};

beforeAll(async () => {
  system = await useSystem();
  work = mkdtempSync(path.join(tmpdir(), 'bailiwick-search-'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('ledger search', () => {
  it('finds the switched key by its id, with the entries of both steps', async () => {
    const [{ body: newest }] = await search('--kind', 'key', '--count', '1');
    const { key } = newest.facts;
    const items = await search('--key', key, '--kind', 'key', '--oldest');
    expect(items.length).toBeGreaterThanOrEqual(2);
    for (const { body } of items) expect(body).toMatchObject({ kind: 'key', facts: { key } });
    expect(new Set(items.map(({ body }) => body.facts.to))).toContain('disabled');
    expect(await search('--key', key, '--kind', 'erasure')).toEqual([]);
  });

  it('finds denials by the rule that denied', async () => {
    const [denied] = await search('--outcome', 'deny', '--count', '1');
    const [rule] = denied.body.decision.rules;
    const items = await search('--outcome', 'deny', '--rule', rule);
    expect(items.length).toBeGreaterThan(0);
    for (const { body } of items) {
      expect(body.decision.outcome).toBe('deny');
      expect(body.decision.rules).toContain(rule);
    }
  });

  it('takes all of it to a file, a line each, and as OCSF', async () => {
    const own = ['ledger', 'search', 'eu-de', '--all', '--to', '2030-01-01T00:00:00Z'];
    const entries = lines(await ask('privacy-officer', [...own, '--format', 'jsonl']));
    expect(entries.length).toBeGreaterThan(50);
    expect(new Set(entries.map(({ entry }) => entry)).size).toBe(entries.length);
    const events = lines(await ask('privacy-officer', [...own, '--format', 'ocsf']));
    // Reading is on record too: there may be more now.
    expect(events.length).toBeGreaterThanOrEqual(entries.length);
    for (const event of events) expect(event).toMatchObject({ class_uid: 6003, category_uid: 6 });
    const known = new Set(events.map(({ metadata }) => metadata.uid));
    expect(entries.every(({ entry }) => known.has(entry))).toBe(true);
  });

  it('reads a person’s id from stdin and refuses who may not ask', async () => {
    const own = ['--json', 'ledger', 'search', 'eu-de', '--subject', '-', '--kind', 'read'];
    const nobody = await runBailiwick(
      ['--state', system.state, '--account', 'privacy-officer', ...own],
      { input: 'nobody-at-all' },
    );
    expect(toJson(nobody)).toMatchObject({ items: [] });
    const refused = await runBailiwick(
      ['--state', system.state, '--account', 'security-officer', ...own],
      { input: 'nobody-at-all' },
    );
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain('CELL_ROLE_FORBIDDEN');
  });

  it.each([
    ['--count', '0'],
    ['--count', '201'],
    ['--outcome', 'maybe'],
    ['--format', 'xml'],
    ['--all', '--json'],
  ])('is used wrongly with %s %s', async (...args) => {
    const ended = await ask('privacy-officer', ['ledger', 'search', 'eu-de', ...args]);
    expect(ended.code).toBe(2);
  });
});

describe('ledger inclusion', () => {
  it('proves an entry under the log’s key and writes the proof for others', async () => {
    const [{ entry, leafHash, index }] = await search('--kind', 'key', '--count', '1');
    const file = path.join(work, 'entry.tlog-proof');
    const ended = await ask('privacy-officer', [
      ...['--json', 'ledger', 'inclusion', 'eu-de', entry, '--output', file],
    ]);
    expect(toJson(ended)).toMatchObject({ isVerified: true, entry, index, leafHash });
    const log = parseVerifierKey(system.cell('eu-de').ledgerKey);
    const proof = parseTlogProof(readFileSync(file, 'utf8'));
    const verified = verifyTlogProof(proof, { leafHash: Buffer.from(leafHash, 'hex'), log });
    expect(verified.index).toBe(index);
  });

  it('does not prove it under another log’s key, with exit 4', async () => {
    const [{ entry }] = await search('--kind', 'key', '--count', '1');
    const key = path.join(work, 'other-key');
    writeFileSync(key, system.cell('uk-lon').ledgerKey);
    const own = ['ledger', 'inclusion', 'eu-de', entry, '--key', key];
    const ended = await ask('privacy-officer', own);
    expect(ended.code).toBe(4);
    expect(ended.stdout).toContain('NOT verified');
  });

  it('knows nothing of an entry that is not there', async () => {
    const absent = '0198c0de-0000-7000-8000-0000000000ff';
    const ended = await ask('privacy-officer', ['ledger', 'inclusion', 'eu-de', absent]);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toContain('LEDGER_ENTRY_UNKNOWN');
  });
});
