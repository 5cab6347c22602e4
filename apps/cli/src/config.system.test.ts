// SPDX-License-Identifier: Apache-2.0
// Goal: flag, then environment, then file, then default, and each says so. Method: the real command.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-config-'));
const file = path.join(directory, 'client.yaml');
const BIN = path.resolve(import.meta.dirname, '../bin/bailiwick.mjs');

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function bailiwick(args: readonly string[], env: Record<string, string> = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: directory, ...env },
  });
  return { status, stdout, stderr };
}

beforeAll(() => {
  writeFileSync(
    file,
    `tenants:
  shop: { id: 0190b0de-7a5c-7c3e-8f00-000000000001, residencies: [eu-de] }
  other: { id: 0190b0de-7a5c-7c3e-8f00-000000000002, residencies: [uk-lon] }
accounts:
  service: { tenant: shop, keyFile: service.pem, ids: { eu-de: a } }
  analyst: { tenant: shop, keyFile: analyst.pem, ids: { eu-de: b } }
purpose: statistics
`,
  );
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('bailiwick config show', () => {
  it('says where each value comes from', () => {
    const { status, stdout } = bailiwick(
      ['config', 'show', '--origin', '--json', '--config', file, '--account', 'analyst'],
      { BAILIWICK_TENANT: 'other' },
    );
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      account: { value: 'analyst', origin: 'flag --account' },
      tenant: { value: 'other', origin: 'BAILIWICK_TENANT' },
      purpose: { value: 'statistics', origin: 'file' },
    });
  });

  it.each([
    ['an absent file', ['--config', '/nowhere/x.yaml'], /there is no client configuration/],
    ['an unknown account', ['--config', file, '--account', 'nobody'], /no account `nobody`/],
    ['an unknown tenant', ['--config', file, '--tenant', 'nobody'], /no tenant `nobody`/],
  ])('exits with 2 for %s, with an error and a hint', (_, args, expected) => {
    const { status, stderr } = bailiwick(['config', 'show', ...args]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^bailiwick: error: /);
    expect(stderr).toMatch(expected);
    expect(stderr).toMatch(/\nbailiwick: hint: /);
  });

  it('tells errors as JSON when asked to', () => {
    const { status, stderr } = bailiwick(['config', 'show', '--json', '--config', '/nowhere']);
    expect(status).toBe(2);
    expect(JSON.parse(stderr).error).toMatchObject({ code: 'CLI_CONFIG_ABSENT', exitCode: 2 });
  });
});

describe('the command', () => {
  it('leads its help with an example, and answers soon', () => {
    bailiwick(['--help']);
    const startedAt = performance.now();
    const { status, stdout } = bailiwick(['--help']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Example: bailiwick /);
    // The bar is 200 ms on an idle machine; a busy one gets more, a regression to seconds does not pass.
    expect(performance.now() - startedAt).toBeLessThan(600);
  });

  it.each([
    [['nonsense'], 2],
    [['record', 'get'], 2],
    [['charter', 'check', '/nowhere.yaml'], 1],
    [['atlas', 'show', 'atlantis'], 2],
    [['atlas', 'show', 'de', '--json'], 0],
  ])('%j exits with %i', (args, code) => {
    expect(bailiwick(args).status).toBe(code);
  });

  it('writes data to stdout and nothing else', () => {
    const { stdout, stderr } = bailiwick(['atlas', 'show', 'no', '--json']);
    expect(JSON.parse(stdout).jurisdiction.id).toBe('no');
    expect(stderr).toBe('');
  });
});
