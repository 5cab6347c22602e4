// SPDX-License-Identifier: Apache-2.0
// What is derived from these schemas and committed: JSON Schema draft-07 of the configuration files, which
// editors read through `# yaml-language-server: $schema=…`.
import type { TSchema } from 'typebox';
import { CellConfigSchema } from './config.ts';
import { ControlConfigSchema, RouterConfigSchema } from './control-config.ts';
import { CustodyConfigSchema } from './key-provider-config.ts';
import { WitnessConfigSchema } from './witness-config.ts';

function toText(schema: TSchema, title: string): string {
  const document = { $schema: 'http://json-schema.org/draft-07/schema#', title, ...schema };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Path from the root to text. */
export async function generate(): Promise<Readonly<Record<string, string>>> {
  return {
    'schemas/config.schema.json': toText(CellConfigSchema, 'cell.yaml'),
    'schemas/control-config.schema.json': toText(ControlConfigSchema, 'control.yaml'),
    'schemas/custody.schema.json': toText(CustodyConfigSchema, 'custody file'),
    'schemas/router-config.schema.json': toText(RouterConfigSchema, 'router.yaml'),
    'schemas/witness-config.schema.json': toText(WitnessConfigSchema, 'witness.yaml'),
  };
}
