// SPDX-License-Identifier: Apache-2.0
// Goal: one bad line costs one line. Method: real files with each kind of damage.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type FileLine, readLines, sizeOf } from './read-lines.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-lines-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function read(
  content: string | Buffer,
  encoding: 'utf-8' | 'windows-1252' = 'utf-8',
): Promise<FileLine[]> {
  const file = path.join(directory, 'x.csv');
  writeFileSync(file, content);
  const lines: FileLine[] = [];
  for await (const line of readLines(file, { encoding, delimiter: ',' })) lines.push(line);
  return lines;
}

describe('the lines of a file', () => {
  it('are numbered as an editor numbers them, empty ones left out', async () => {
    const lines = await read('a,b\r\n1,2\n\n3,"4,5"\n6,7');
    expect(lines.map(({ number, values }) => [number, values])).toEqual([
      [1, ['a', 'b']],
      [2, ['1', '2']],
      [4, ['3', '4,5']],
      [5, ['6', '7']],
    ]);
  });

  it('go on after a quote that is never closed', async () => {
    const lines = await read('a,b\n1,"open\n2,"x"\n3,4\n');
    expect(lines[1]).toMatchObject({ number: 2, problem: { code: 'IMPORT_LINE_MALFORMED' } });
    expect(lines.slice(2).map(({ values }) => values)).toEqual([
      ['2', 'x'],
      ['3', '4'],
    ]);
  });

  it('go on after a line of 10 MB, without holding it', async () => {
    const lines = await read(`a\n${'x'.repeat(10 * 1024 * 1024)}\nb\n`);
    expect(lines[1]).toMatchObject({ number: 2, problem: { code: 'IMPORT_LINE_TOO_LONG' } });
    expect(lines[2]).toMatchObject({ number: 3, values: ['b'] });
  });

  it('are refused one by one where they are not in the encoding', async () => {
    const bytes = Buffer.concat([
      Buffer.from('a\n'),
      Buffer.from([0xa3, 0x0a]),
      Buffer.from('c\n'),
    ]);
    expect((await read(bytes))[1]).toMatchObject({ problem: { code: 'IMPORT_LINE_MALFORMED' } });
    expect((await read(bytes, 'windows-1252'))[1]).toMatchObject({ values: ['£'] });
  });

  it('never quote what they refuse', async () => {
    const lines = await read('a\n"kaethe@post.example\n');
    expect(JSON.stringify(lines)).not.toContain('kaethe');
  });

  it('need a file', () => {
    expect(() => sizeOf(path.join(directory, 'absent'))).toThrow(/cannot read/);
    expect(() => sizeOf(directory)).toThrow(/not a file/);
  });
});
