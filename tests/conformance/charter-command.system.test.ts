// SPDX-License-Identifier: Apache-2.0
// Goal: a privacy officer gets from the command what the guide promises, without any cell: mistakes with
// their line, tests, proofs with a witness, comparisons, registers. Method: the real command over the
// charters that ship and over copies with one change.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, runBailiwick, toJson } from '../system/command.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-charter-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const shipped = (name: string): string => path.join(ROOT, 'charters', `${name}.yaml`);
const RETAILER = readFileSync(shipped('retailer'), 'utf8');
const write = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
const changed = (name: string, from: string | RegExp, to: string): string => {
  const text = RETAILER.replace(from, () => to);
  expect(text).not.toBe(RETAILER);
  return write(name, text);
};
const run = (...args: readonly string[]) => runBailiwick(['charter', ...args]);

describe('check', () => {
  it('tells every mistake with file, line, column and what was probably meant, and exits with 1', async () => {
    const file = changed('typo.yaml', 'cell: uk-lon/main', 'cell: uk-lom/main');
    const { code, stdout } = await run('check', file);
    expect(code).toBe(1);
    const line = RETAILER.slice(0, RETAILER.indexOf('cell: uk-lon/main')).split('\n').length;
    expect(stdout).toMatch(new RegExp(`typo\\.yaml:${line}:\\d+: .*uk-lom/main.*uk-lon/main`));
  });

  it('reads includes and variables, and says what they stand for is missing', async () => {
    write('more.yaml', 'refused:\n  kw: { because: not yet, source: s }\n');
    const text = RETAILER.replace('charter: 1', 'charter: 1\ninclude: [more.yaml]').replace(
      /^title:.*$/m,
      () => `title: A shop in \${place}\nvariables:\n  place: { means: where }`,
    );
    const file = write('parts.yaml', text);
    const bare = await run('check', file);
    expect([bare.code, bare.stdout]).toEqual([
      1,
      expect.stringContaining('CHARTER_VARIABLE_UNSET'),
    ]);
    expect((await run('check', file, '--set', 'place=Ulm')).code).toBe(0);
    expect((await run('check', file, '--set', 'place')).code).toBe(2);
  });
});

describe('test', () => {
  it('passes the tests that ship, and fails with the case and its line', async () => {
    const passed = toJson(await runBailiwick(['--json', 'charter', 'test', shipped('bank')]));
    expect(passed).toMatchObject({ v: 1, failedCount: 0 });
    const tests = write(
      'wrong.test.yaml',
      'tests: 1\ncharter: retailer\ncases:\n  - { case: Bahrain is at home, home: Bahrain, expect: { cell: eu-de/main } }\n',
    );
    const failed = await run('test', shipped('retailer'), '--tests', tests);
    expect(failed.code, failed.stderr + failed.stdout).toBe(1);
    expect(failed.stdout).toMatch(/wrong\.test\.yaml:4: Bahrain is at home/);
  });
});

describe('prove', () => {
  it('holds the retailer’s properties, with the size of the space', async () => {
    const proof = toJson(await runBailiwick(['--json', 'charter', 'prove', shipped('retailer')]));
    expect(proof).toMatchObject({ holds: true });
    expect(BigInt((proof as { space: { flows: string } }).space.flows)).toBeGreaterThan(10n ** 20n);
  });

  it('shows the smallest flow that breaks a promise, in words, and exits with 4', async () => {
    const { code, stdout } = await run('prove', shipped('broken'));
    expect(code).toBe(4);
    expect(stdout).toContain('allowed: export of restricted contact data');
    expect(stdout).toContain('addresses-to-the-mail-platform');
  });
});

describe('diff', () => {
  it('exits with 3 for what is wider, with 0 for what is not, and says which is which', async () => {
    const wider = changed('wider.yaml', '    mechanism: [scc, bcr]\n', '');
    const wide = await run('diff', shipped('retailer'), wider);
    expect([wide.code, wide.stdout]).toEqual([
      3,
      expect.stringContaining('takes effect only with approvals'),
    ]);
    const back = await run('diff', wider, shipped('retailer'));
    expect([back.code, back.stdout]).toEqual([0, expect.stringContaining('narrower (1)')]);
    const same = await run('diff', wider, wider);
    expect([same.code, same.stdout]).toEqual([0, 'no flow, home or demand differs\n']);
  });

  it('counts a home that moves and keys that are held less strictly as wider', async () => {
    const moved = changed(
      'moved.yaml',
      /( {2}nz:\n {4}cell: )au-syd\/main/.exec(RETAILER)?.[0] ?? '',
      '  nz:\n    cell: us-va/main',
    );
    const keys = changed('keys.yaml', 'custody: customer', 'custody: cell');
    expect((await run('diff', shipped('retailer'), moved)).stdout).toContain('lives elsewhere (1)');
    const less = await run('diff', shipped('retailer'), keys);
    expect([less.code, less.stdout]).toEqual([3, expect.stringContaining('asks less (1)')]);
  });
});

describe('report', () => {
  it.each([
    ['article-30-controller', 'md', /^# /],
    ['article-30-processor', 'json', /^\{/],
    ['transfer-register', 'csv', /^[^\n]*,[^\n]*\r\n/],
  ])('writes %s as %s', async (kind, format, beginning) => {
    const { code, stdout } = await run(
      ...['report', shipped('retailer'), '--kind', kind, '--format', format],
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(beginning)]);
    expect(stdout).toContain('mail-platform');
  });

  it('refuses a kind that there is none of, with those that there are', async () => {
    const { code, stderr } = await run('report', shipped('retailer'), '--kind', 'tax');
    expect([code, stderr]).toEqual([2, expect.stringContaining('transfer-register')]);
  });
});

describe('explain and compile', () => {
  it('answers in a paragraph, with sources and the nearest allowed flow, and exits with 3', async () => {
    const flow = path.join(ROOT, 'examples/flows/german-emails-to-virginia.yaml');
    const { code, stdout } = await run('explain', shipped('retailer'), '--flow', flow);
    expect(code).toBe(3);
    expect(stdout).toContain('GDPR Art. 44');
    expect(stdout).toContain('would be allowed as `aggregated`');
  });

  it.each([
    ['cedar', '@because('],
    ['rego', 'package bailiwick.charter'],
    ['json', '"rules"'],
  ])('writes %s', async (language, part) => {
    const { code, stdout } = await run('compile', shipped('retailer'), '--to', language);
    expect([code, stdout]).toEqual([0, expect.stringContaining(part)]);
  });
});
