// SPDX-License-Identifier: Apache-2.0
// Reads `cell.yaml`. Order: flag, environment (`BAILIWICK_PUBLIC_PORT`), file, default; `origins` tells
// which one won. Relative paths in the file are relative to the file. No `.env` is read.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  type CellConfig,
  CellConfigSchema,
  ContractError,
  parseCellConfig,
} from '@bailiwick/contracts';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { LineCounter, parseDocument } from 'yaml';
import { CellError } from './errors.ts';

export type ConfigOrigin = 'flag' | 'environment' | 'file' | 'default';

export interface LoadedConfig {
  readonly config: CellConfig;
  /** For each setting (`public.port`) where its value came from. */
  readonly origins: Readonly<Record<string, ConfigOrigin>>;
}

export interface ConfigSources {
  readonly file: string;
  /** `--public-port 7410` as `{ 'public-port': '7410' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const FILE_SIZE_BYTES_MAX = 262_144;
/** Settings that are paths, by their last key. */
const PATH_KEYS = /^(?:file|directory|state|[a-z]+File)$/;

type Tree = Record<string, unknown>;

/** @throws {CellError} `CELL_CONFIG_INVALID` with the line where there is one. */
export function loadCellConfig(sources: ConfigSources): LoadedConfig {
  const tree = readTree(sources.file);
  const origins: Record<string, ConfigOrigin> = {};
  for (const setting of listSettings(tree)) origins[setting.join('.')] = 'file';
  const overridable = listLeaves(CellConfigSchema);
  applyOverrides(tree, overridable, origins, sources);
  const withDefaults = Value.Default(CellConfigSchema, tree);
  for (const setting of listSettings(withDefaults)) origins[setting.join('.')] ??= 'default';
  try {
    const config = parseCellConfig(withDefaults);
    return { config: resolvePaths(config, path.dirname(path.resolve(sources.file))), origins };
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw new CellError('CELL_CONFIG_INVALID', `\`${sources.file}\`: ${error.message}`, {
      cause: error,
    });
  }
}

function refuse(file: string, problem: string): never {
  throw new CellError('CELL_CONFIG_INVALID', `\`${file}\`: ${problem}`);
}

function readTree(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` cannot be read`, { cause });
  }
  if (text.length > FILE_SIZE_BYTES_MAX) refuse(file, 'is too large for a configuration');
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    refuse(file, `line ${line}, column ${col}: not valid YAML (${problem.code})`);
  }
  const tree: unknown = document.toJS({ maxAliasCount: 0 });
  if (!isTree(tree)) refuse(file, 'expected a mapping');
  return tree;
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Paths of all scalar or list settings in a tree. */
function listSettings(
  tree: unknown,
  prefix: readonly string[] = [],
): readonly (readonly string[])[] {
  if (!isTree(tree)) return [prefix];
  return Object.keys(tree).flatMap((key) => listSettings(tree[key], [...prefix, key]));
}

interface Leaf {
  readonly setting: readonly string[];
  readonly type: 'string' | 'integer';
}

/** Settings of the schema that a flag or a variable can set: texts and numbers. */
function listLeaves(schema: TSchema, prefix: readonly string[] = []): readonly Leaf[] {
  const type: unknown = Reflect.get(schema, 'type');
  if (type === 'string' || type === 'integer') return [{ setting: prefix, type }];
  const properties: unknown = Reflect.get(schema, 'properties');
  if (type !== 'object' || !isTree(properties)) return [];
  return Object.entries(properties).flatMap(([key, value]) =>
    isTree(value) ? listLeaves(value, [...prefix, key]) : [],
  );
}

const toWords = (setting: readonly string[]): string[] =>
  setting.flatMap((key) =>
    key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).split('-'),
  );

function applyOverrides(
  tree: Tree,
  leaves: readonly Leaf[],
  origins: Record<string, ConfigOrigin>,
  { flags = {}, environment = {} }: ConfigSources,
): void {
  const known = new Set<string>();
  for (const { setting, type } of leaves) {
    const words = toWords(setting);
    const flag = words.join('-');
    known.add(flag);
    const fromFlag = flags[flag];
    const value = fromFlag ?? environment[`BAILIWICK_${words.join('_').toUpperCase()}`];
    if (value === undefined) continue;
    write(tree, setting, type === 'integer' && /^-?\d+$/.test(value) ? Number(value) : value);
    origins[setting.join('.')] = fromFlag === undefined ? 'environment' : 'flag';
  }
  const unknown = Object.keys(flags).find((flag) => !known.has(flag));
  if (unknown !== undefined) {
    throw new CellError('CELL_CONFIG_INVALID', `no such flag \`--${unknown}\``);
  }
}

function write(tree: Tree, setting: readonly string[], value: unknown): void {
  let at = tree;
  for (const key of setting.slice(0, -1)) {
    const next = at[key];
    const child: Tree = isTree(next) ? next : {};
    at[key] = child;
    at = child;
  }
  at[setting.at(-1) ?? ''] = value;
}

/** Makes the paths in a configuration absolute. */
function resolvePaths(config: CellConfig, directory: string): CellConfig {
  const resolve = (value: unknown, key: string): unknown => {
    if (typeof value === 'string' && PATH_KEYS.test(key)) return path.resolve(directory, value);
    if (Array.isArray(value)) {
      return key === 'replicas' ? value.map((one) => path.resolve(directory, one)) : value;
    }
    if (!isTree(value)) return value;
    return Object.fromEntries(Object.keys(value).map((name) => [name, resolve(value[name], name)]));
  };
  return resolve(config, '') as CellConfig;
}

/** Reads a secret or a certificate from its file. @throws {CellError} `CELL_CONFIG_INVALID` */
export function readSecretFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` cannot be read`, { cause });
  }
}
