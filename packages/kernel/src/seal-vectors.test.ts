// SPDX-License-Identifier: Apache-2.0
// Goal: the seal's encoding cannot change. Method: vectors written by an independent implementation.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeSeal, parseSeal, type Seal } from './index.ts';

const FILE = path.resolve(import.meta.dirname, '../../../vectors/seal-v1.json');
const { vectors } = JSON.parse(readFileSync(FILE, 'utf8')) as {
  readonly vectors: readonly {
    readonly what: string;
    readonly seal: Seal;
    readonly encoded: string;
  }[];
};

describe('seal vectors', () => {
  it('are all there', () => {
    expect(vectors.length).toBe(9);
  });

  it.each(vectors)('$what', ({ seal, encoded }) => {
    expect(Buffer.from(encodeSeal(seal)).toString('hex')).toBe(encoded);
    expect(parseSeal(Buffer.from(encoded, 'hex'))).toEqual(seal);
  });
});
