// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { createLineSplitter, parseCsvLine, type SplitLine } from './lines.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const show = ({ number, bytes }: SplitLine): string =>
  `${number}:${bytes ? decoder.decode(bytes) : 'TOO LONG'}`;

function split(text: string, chunkSize: number, lineSizeBytesMax = 8): string[] {
  const splitter = createLineSplitter({ lineSizeBytesMax, firstLine: 7 });
  const bytes = encoder.encode(text);
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += chunkSize) {
    lines.push(...splitter.push(bytes.subarray(at, at + chunkSize)).map(show));
  }
  return [...lines, ...splitter.end().map(show)];
}

describe('the line splitter', () => {
  it.each([1, 2, 3, 5, 100])('gives the same lines whatever the chunks: %i bytes', (size) => {
    expect(split('ab\r\n\ncdefghij\n0123456789abcdef\nlast', size)).toEqual([
      '7:ab',
      '8:',
      '9:cdefghij',
      '10:TOO LONG',
      '11:last',
    ]);
  });
  it('tells a last line that is too long', () => {
    expect(split('ok\n0123456789', 4)).toEqual(['7:ok', '8:TOO LONG']);
  });
  it('gives nothing for nothing', () => {
    expect(split('', 4)).toEqual([]);
  });
});

describe('a line of CSV', () => {
  it.each([
    ['a,b,c', ['a', 'b', 'c']],
    ['', ['']],
    [',', ['', '']],
    ['""', ['']],
    ['"",', ['', '']],
    ['a,"b ""x"", y",c', ['a', 'b "x", y', 'c']],
    ['"a","",""""', ['a', '', '"']],
  ])('is read: %s', (line, values) => {
    expect(parseCsvLine(line, ',')).toEqual(values);
  });
  it.each(['a,"b', '"a"x,b', 'a"b,c', 'a,b"', '"a" ,b', '"'])('is malformed: %s', (line) => {
    expect(parseCsvLine(line, ',')).toBeUndefined();
  });
});
