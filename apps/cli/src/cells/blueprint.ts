// SPDX-License-Identifier: Apache-2.0
// What a new cell is made from: where it stands, whose law reaches it, where it listens, on which database. A
// single tenant's cell and one of many tenants are made from the same; what differs is who has its home there.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { findJurisdiction } from '@bailiwick/atlas';
import { parseCellId } from '@bailiwick/kernel';
import { parse } from 'yaml';
import { CliError } from '../errors.ts';

/** A blueprint that was checked. */
export interface Blueprint {
  /** `eu-de/bank1` */
  readonly cell: string;
  readonly jurisdiction: string;
  readonly operator: { readonly jurisdiction: string; readonly name: string };
  /** Server name of its public listener. */
  readonly name: string;
  readonly host: string;
  readonly ports: {
    readonly public: number;
    readonly internal: number;
    readonly keyService: number;
    readonly postgres: number;
  };
  /** Absent: a PostgreSQL of its own below its directory, for first steps. */
  readonly ownerUrlFile?: string;
  /** Cells that cosign its checkpoints: `cell` and C2SP verifier key. */
  readonly cosigners: readonly { readonly cell: string; readonly key: string }[];
}

const KEYS = [
  'cell',
  'jurisdiction',
  'operator',
  'name',
  'host',
  'ports',
  'ownerUrlFile',
  'cosigners',
];
const PORTS = ['public', 'internal', 'keyService', 'postgres'] as const;

type Tree = Readonly<Record<string, unknown>>;

function refuse(file: string, problem: string): never {
  throw new CliError('CLI_INPUT_REFUSED', `\`${file}\`: ${problem}`);
}

const isTree = (value: unknown): value is Tree =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Reads a blueprint. @throws {CliError} `CLI_INPUT_REFUSED` */
export function readBlueprint(file: string): Blueprint {
  let tree: unknown;
  try {
    tree = parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` is no YAML that can be read`, { cause });
  }
  if (!isTree(tree)) return refuse(file, 'expected a mapping');
  const unknown = Object.keys(tree).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) refuse(file, `there is no such key \`${unknown}\``);
  const text = (key: string, within: Tree = tree as Tree): string => {
    const value = within[key];
    return typeof value === 'string' && value !== '' ? value : refuse(file, `expected \`${key}\``);
  };
  const operator = tree['operator'];
  if (!isTree(operator)) return refuse(file, 'expected `operator` with `jurisdiction` and `name`');
  const place = (value: string): string =>
    findJurisdiction(value)?.id === value ? value : refuse(file, `the atlas knows no \`${value}\``);
  const { ownerUrlFile } = tree;
  return {
    cell: parseCellId(text('cell')),
    jurisdiction: place(text('jurisdiction')),
    operator: { jurisdiction: place(text('jurisdiction', operator)), name: text('name', operator) },
    name: text('name'),
    host: tree['host'] === undefined ? '127.0.0.1' : text('host'),
    ports: toPorts(file, tree['ports']),
    ...(typeof ownerUrlFile === 'string'
      ? { ownerUrlFile: path.resolve(path.dirname(file), ownerUrlFile) }
      : {}),
    cosigners: toCosigners(file, tree['cosigners']),
  };
}

function toPorts(file: string, value: unknown): Blueprint['ports'] {
  if (!isTree(value)) return refuse(file, 'expected `ports`');
  const [first, ...others] = PORTS.map((name) => {
    const port = value[name];
    const isPort = typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536;
    return isPort ? port : refuse(file, `expected \`ports.${name}\` as a number`);
  });
  const [internal = 0, keyService = 0, postgres = 0] = others;
  return { public: first ?? 0, internal, keyService, postgres };
}

function toCosigners(file: string, value: unknown): Blueprint['cosigners'] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) return refuse(file, 'expected `cosigners` as a list');
  return value.map((one: unknown) => {
    if (!isTree(one)) return refuse(file, 'expected `cell` and `key` of each cosigner');
    const { cell, key } = one;
    if (typeof cell === 'string' && typeof key === 'string')
      return { cell: parseCellId(cell), key };
    return refuse(file, 'expected `cell` and `key` of each cosigner');
  });
}
