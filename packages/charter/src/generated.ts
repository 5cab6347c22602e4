// SPDX-License-Identifier: Apache-2.0
// What `npm run generate` writes from this room: the schema that editors read.
import { toJsonSchema } from './schema.ts';

/** Path from the root to text. */
export async function generate(): Promise<Readonly<Record<string, string>>> {
  return { 'schemas/charter.schema.json': `${JSON.stringify(toJsonSchema(), null, 2)}\n` };
}
