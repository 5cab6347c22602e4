// SPDX-License-Identifier: Apache-2.0
// Goal: the OSCAL document is valid against NIST's own JSON Schema, whatever happened. Method: the schema of
// OSCAL 1.0.6 as the repository usnistgov/OSCAL publishes it, read from `../shared/vectors` beside this one;
// where that is absent the suite says so, and CI must not.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import { describe, expect, it } from 'vitest';
import { aPack } from './a-pack.ts';
import { parseArchive } from './archive.ts';

const FILE = path.resolve(
  import.meta.dirname,
  '../../../../shared/vectors/oscal/oscal_assessment-results_schema.json',
);

describe.skipIf(!existsSync(FILE))('assessment results', () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  formats.default(ajv);
  const validate = existsSync(FILE)
    ? ajv.compile(JSON.parse(readFileSync(FILE, 'utf8')))
    : undefined;
  // biome-ignore lint/suspicious/noExplicitAny: a foreign document, spoilt on purpose.
  type Document = any;
  const read = async (entriesCount: number): Promise<Document> => {
    const { bytes } = await aPack({ entriesCount });
    const file = parseArchive(bytes).get('oscal/assessment-results.json');
    return JSON.parse(Buffer.from(file ?? []).toString());
  };

  it.each([[300], [8], [1]])('are valid after %i entries', async (count) => {
    const results = await read(count);
    expect(validate?.(results), JSON.stringify(validate?.errors)).toBe(true);
  });

  it('are held by a schema that refuses', async () => {
    const results = await read(8);
    for (const spoil of [
      (document: Document) => delete document['assessment-results'].metadata.title,
      (document: Document) => delete document['assessment-results'].results[0]['reviewed-controls'],
      (document: Document) => (document['assessment-results'].uuid = 'x'),
      (document: Document) => (document['assessment-results'].results[0].observations = []),
      (document: Document) => (document['assessment-results'].extra = 1),
    ]) {
      const spoilt = structuredClone(results);
      spoil(spoilt);
      expect(validate?.(spoilt)).toBe(false);
    }
  });

  it('say what was found, and nothing of what did not happen', async () => {
    const findingsOf = async (count: number): Promise<readonly string[]> =>
      (await read(count))['assessment-results'].results[0].findings.map(
        ({ target }: Document) => `${target['target-id']} ${target.status.state}`,
      );
    expect(await findingsOf(300)).toEqual([
      'ac-4_obj satisfied',
      'au-9_obj satisfied',
      'au-10_obj satisfied',
      'sc-12_obj satisfied',
      'mp-6_obj satisfied',
    ]);
    // Cut between asked and done: an erasure is not finished, and says so.
    expect(await findingsOf(8)).toContain('mp-6_obj not-satisfied');
    expect((await findingsOf(1)).join()).not.toMatch(/sc-12|mp-6/);
  });
});
