// SPDX-License-Identifier: Apache-2.0
// Goal: what is shipped to be tried is what the cell takes. Method: each shipped transfer against the schema
// of the route that the command sends it to.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { TransferRequestSchema } from './transfer.ts';

const FOLDER = path.resolve(import.meta.dirname, '../../../examples/transfers');

describe('shipped transfers', () => {
  const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));

  it('are there', () => {
    expect(files.length).toBeGreaterThan(0);
  });

  it.each(files)('%s is a transfer', (file) => {
    const draft: unknown = parse(readFileSync(path.join(FOLDER, file), 'utf8'));
    expect(Value.Errors(TransferRequestSchema, draft)).toEqual([]);
  });
});
