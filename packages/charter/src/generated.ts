// SPDX-License-Identifier: Apache-2.0
// What `npm run generate` writes from this room: the schemas that editors read, and the reference of the language.
import { toLanguageReference } from './reference.ts';
import { toJsonSchema } from './schema.ts';
import { toTestsJsonSchema } from './tests-schema.ts';

/** Path from the root to text. */
export async function generate(): Promise<Readonly<Record<string, string>>> {
  const toText = (schema: unknown): string => `${JSON.stringify(schema, null, 2)}\n`;
  return {
    'schemas/charter.schema.json': toText(toJsonSchema()),
    'docs/reference/charter-language.md': toLanguageReference(),
    'schemas/charter-tests.schema.json': toText(toTestsJsonSchema()),
  };
}
