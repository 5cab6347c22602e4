// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { readBlueprint } from './blueprint.ts';

const GOOD = {
  cell: 'eu-de/bank1',
  jurisdiction: 'de',
  operator: { jurisdiction: 'de', name: 'bank-operations' },
  name: 'bank1.eu-de.cells.example',
  ports: { public: 1, internal: 2, keyService: 3, postgres: 4 },
};

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-blueprint-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function read(value: unknown): ReturnType<typeof readBlueprint> {
  const file = path.join(directory, 'blueprint.yaml');
  writeFileSync(file, typeof value === 'string' ? value : stringify(value));
  return readBlueprint(file);
}

describe('a blueprint', () => {
  it('is read, with loopback where no host is named', () => {
    expect(read(GOOD)).toEqual({ ...GOOD, host: '127.0.0.1', cosigners: [] });
  });

  it('names the file of the owner’s URL relative to itself', () => {
    const { ownerUrlFile } = read({ ...GOOD, ownerUrlFile: 'secrets/owner' });
    expect(ownerUrlFile).toBe(path.join(directory, 'secrets/owner'));
  });

  it.each([
    ['no mapping', '- a'],
    ['a key that there is not', { ...GOOD, colour: 'blue' }],
    ['no jurisdiction', { ...GOOD, jurisdiction: undefined }],
    ['a jurisdiction that the atlas does not know', { ...GOOD, jurisdiction: 'atlantis' }],
    ['a name of a country and not its id', { ...GOOD, jurisdiction: 'Germany' }],
    ['no operator', { ...GOOD, operator: 'us' }],
    ['an operator from nowhere', { ...GOOD, operator: { jurisdiction: 'xx', name: 'x' } }],
    ['no ports', { ...GOOD, ports: undefined }],
    ['a port that is text', { ...GOOD, ports: { ...GOOD.ports, public: 'first' } }],
    ['a port too large', { ...GOOD, ports: { ...GOOD.ports, public: 70_000 } }],
    ['a cosigner without its key', { ...GOOD, cosigners: [{ cell: 'uk-lon/main' }] }],
  ])('with %s is refused', (_what, value) => {
    expect(() => read(value)).toThrowError(expect.objectContaining({ code: 'CLI_INPUT_REFUSED' }));
  });

  it('for a cell that cannot be named is refused', () => {
    expect(() => read({ ...GOOD, cell: '../eu-de' })).toThrowError(
      expect.objectContaining({ code: 'KERNEL_ID_INVALID' }),
    );
  });

  it('that is not there, or not YAML, is refused', () => {
    expect(() => readBlueprint(path.join(directory, 'absent'))).toThrowError(
      expect.objectContaining({ code: 'CLI_FILE_UNREADABLE' }),
    );
    expect(() => read('a: [')).toThrowError(
      expect.objectContaining({ code: 'CLI_FILE_UNREADABLE' }),
    );
  });
});
