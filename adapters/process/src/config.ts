// SPDX-License-Identifier: Apache-2.0
// Reads the configuration of a server. Order: flag, environment (`BAILIWICK_PUBLIC_PORT`), file, default;
// `origins` tells which one won. Relative paths in the file are relative to the file. No `.env` is read.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { CodedError } from '@bailiwick/kernel';
import type { TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { LineCounter, parseDocument } from 'yaml';

export type ConfigOrigin = 'flag' | 'environment' | 'file' | 'default';

/** One kind of configuration. */
export interface ConfigKind<Config> {
  /** Gives the settings' names, their types and their defaults. */
  readonly schema: TSchema;
  /** Checks and types a tree; throws a `CodedError` that says what is wrong and where. */
  readonly parse: (tree: unknown) => Config;
  /** Makes the app's own error. */
  readonly refuse: (problem: string, cause?: unknown) => Error;
}

export interface LoadedConfig<Config> {
  readonly config: Config;
  /** For each setting (`public.port`) where its value came from. */
  readonly origins: Readonly<Record<string, ConfigOrigin>>;
}

export interface ConfigSources {
  readonly file: string;
  /** `--public-port 7410` as `{ 'public-port': '7410' }`. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const FILE_SIZE_BYTES_MAX = 1_048_576;
/** Settings that are paths, by their last key. */
const PATH_KEYS = /^(?:file|directory|state|[a-zA-Z]+File)$/;
/** Settings that are lists of paths. */
const PATH_LIST_KEYS = /^replicas$/;

type Tree = Record<string, unknown>;

/** Loads a configuration. @throws the kind's own error, with the line where there is one. */
export function loadConfig<Config>(
  kind: ConfigKind<Config>,
  sources: ConfigSources,
): LoadedConfig<Config> {
  const { file } = sources;
  const tree = readTree(kind, file);
  const origins: Record<string, ConfigOrigin> = {};
  for (const setting of listSettings(tree)) origins[setting.join('.')] = 'file';
  applyOverrides(kind, { tree, origins, sources });
  const withDefaults = Value.Default(kind.schema, tree);
  for (const setting of listSettings(withDefaults)) origins[setting.join('.')] ??= 'default';
  const directory = path.dirname(path.resolve(file));
  try {
    return { config: kind.parse(resolvePaths(withDefaults, '', directory)), origins };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw kind.refuse(`\`${file}\`: ${error.message}`, error);
  }
}

function readTree({ refuse }: Pick<ConfigKind<unknown>, 'refuse'>, file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw refuse(`\`${file}\` cannot be read`, cause);
  }
  if (text.length > FILE_SIZE_BYTES_MAX) {
    throw refuse(`\`${file}\` is too large for a configuration`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    throw refuse(`\`${file}\`: line ${line}, column ${col}: not valid YAML (${problem.code})`);
  }
  let tree: unknown;
  try {
    tree = document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    throw refuse(`\`${file}\`: aliases are not taken: write the value where it belongs`, cause);
  }
  if (!isTree(tree)) throw refuse(`\`${file}\`: expected a mapping`);
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
  { schema, refuse }: Pick<ConfigKind<unknown>, 'schema' | 'refuse'>,
  target: {
    readonly tree: Tree;
    readonly origins: Record<string, ConfigOrigin>;
    readonly sources: ConfigSources;
  },
): void {
  const { tree, origins, sources } = target;
  const { flags = {}, environment = {} } = sources;
  const known = new Set<string>();
  for (const { setting, type } of listLeaves(schema)) {
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
  if (unknown !== undefined) throw refuse(`no such flag \`--${unknown}\``);
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

/** The same tree with its paths made absolute. */
function resolvePaths(value: unknown, key: string, directory: string): unknown {
  if (typeof value === 'string' && PATH_KEYS.test(key)) return path.resolve(directory, value);
  if (Array.isArray(value)) {
    return PATH_LIST_KEYS.test(key)
      ? value.map((one) => (typeof one === 'string' ? path.resolve(directory, one) : one))
      : value;
  }
  if (!isTree(value)) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(
    entries.map(([name, one]) => [name, resolvePaths(one, name, directory)]),
  );
}

/** Reads a secret or a certificate from its file. @throws the error that `refuse` makes. */
export function readSecretFile(file: string, refuse: ConfigKind<unknown>['refuse']): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    throw refuse(`\`${file}\` cannot be read`, cause);
  }
}
