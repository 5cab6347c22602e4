// SPDX-License-Identifier: Apache-2.0
// A mapping file: into which collection lines go, how columns become fields, and the collection's schema
// for cells that do not have it yet. A declared document: no code in it.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import {
  type CollectionSchema,
  checkWith,
  findMissingColumns,
  type ImportMapping,
  ImportMappingSchema,
  parseCollectionSchema,
} from '@bailiwick/contracts';
import { isName } from '@bailiwick/kernel';
import { LineCounter, parseDocument } from 'yaml';
import { readText } from '../connect.ts';
import { CliError } from '../errors.ts';

/** Encodings of files: what WHATWG calls them. */
const ENCODINGS = ['utf-8', 'windows-1252', 'iso-8859-2', 'utf-16le'] as const;
export type FileEncoding = (typeof ENCODINGS)[number];

export interface Mapping {
  readonly file: string;
  readonly collection: string;
  readonly encoding: FileEncoding;
  readonly import: ImportMapping;
  readonly schema: CollectionSchema;
}

const KEYS = ['collection', 'encoding', 'import', 'schema'];
const SHIPPED = path.resolve(import.meta.dirname, '../../../../examples/mappings');

function refuse(file: string, problem: string, hint?: string): never {
  throw new CliError('CLI_MAPPING_INVALID', `the mapping \`${file}\` ${problem}`, {
    ...(hint === undefined ? {} : { hint }),
  });
}

/** Reads a mapping. @throws {CliError} `CLI_MAPPING_INVALID`, `CLI_FILE_UNREADABLE` */
export function loadMapping(file: string): Mapping {
  return parseMapping(readText(file, 'the mapping'), file);
}

/** Reads a mapping's text. @throws {CliError} `CLI_MAPPING_INVALID` */
export function parseMapping(text: string, file: string): Mapping {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    refuse(file, `is not YAML (line ${line}): ${error.message.split('\n')[0] ?? ''}`);
  }
  const value = toValue(document, file);
  if (typeof value !== 'object' || value === null) return refuse(file, 'is not a YAML mapping');
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined)
    refuse(file, `has an unknown key \`${unknown}\``, `known are ${KEYS.join(', ')}`);
  const {
    collection,
    encoding = 'utf-8',
    import: rules,
    schema,
  } = { ...value } as Record<string, unknown>;
  if (typeof collection !== 'string' || !isName(collection)) {
    return refuse(file, 'names no `collection`', 'a kebab-case name');
  }
  const known = ENCODINGS.find((one) => one === encoding);
  if (known === undefined) refuse(file, 'has an unknown `encoding`', ENCODINGS.join(', '));
  try {
    return {
      file,
      collection,
      encoding: known,
      import: checkWith(ImportMappingSchema, rules, 'import') as ImportMapping,
      schema: parseCollectionSchema(schema),
    };
  } catch (cause) {
    return refuse(file, cause instanceof Error ? cause.message : 'is not valid');
  }
}

/** Aliases are refused: a few of them can grow into gigabytes. */
function toValue(document: ReturnType<typeof parseDocument>, file: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    return refuse(file, 'uses YAML aliases, which are not taken');
  }
}

/** @throws {CliError} `CLI_MAPPING_INVALID` when the file's header lacks a column of the mapping. */
export function assertColumns(mapping: Mapping, header: readonly string[]): void {
  const missing = findMissingColumns(mapping.import, header);
  if (missing.length === 0) return;
  refuse(
    mapping.file,
    `asks for columns that the file does not have: ${missing.map((name) => `\`${name}\``).join(', ')}`,
    `the file has ${header.length} columns; is the delimiter right?`,
  );
}

/** A shipped mapping whose columns the file has; undefined when there is none. */
export function findShippedMapping(header: readonly string[]): Mapping | undefined {
  if (!existsSync(SHIPPED)) return undefined;
  for (const name of readdirSync(SHIPPED).sort()) {
    if (!name.endsWith('.yaml')) continue;
    const mapping = loadMapping(path.join(SHIPPED, name));
    if (findMissingColumns(mapping.import, header).length === 0) return mapping;
  }
  return undefined;
}
