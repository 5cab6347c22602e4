// SPDX-License-Identifier: Apache-2.0
// Reads the sources of every room and the imports in them, for the tests that hold the house together.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT: string = path.resolve(import.meta.dirname, '../..');

/** Kinds of rooms, from the top down. */
export type RoomKind = 'apps' | 'adapters' | 'packages';

export interface SourceFile {
  /** Path from the root, with forward slashes. */
  readonly path: string;
  /** `packages/ledger`. */
  readonly room: string;
  readonly kind: RoomKind;
  readonly isTest: boolean;
  readonly text: string;
  readonly imports: readonly string[];
}

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^'";]*?from\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g;

export function importsOf(text: string): readonly string[] {
  return [...text.matchAll(IMPORT)].map((match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** Text without comments and strings, so that a rule about code does not trip over prose. */
export function codeOf(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|[^:])\/\/.*$/gm, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

/** Every TypeScript source of packages, adapters and apps. */
export function readSources(): readonly SourceFile[] {
  return globSync('{packages,adapters,apps}/*/src/**/*.{ts,tsx}', { cwd: ROOT })
    .map((file) => file.split(path.sep).join('/'))
    .sort()
    .map((file) => {
      const text = readFileSync(path.join(ROOT, file), 'utf8');
      const [kind = '', name = ''] = file.split('/');
      return {
        path: file,
        room: `${kind}/${name}`,
        kind: kind as RoomKind,
        isTest: /\.test\.tsx?$/.test(file) || file.endsWith('/testing.ts'),
        text,
        imports: importsOf(text),
      };
    });
}

/** Package name to room, from the package.json of each. */
export function readRooms(): ReadonlyMap<string, string> {
  const rooms = new Map<string, string>();
  for (const file of globSync('{packages,adapters,apps}/*/package.json', { cwd: ROOT })) {
    if (!existsSync(path.join(ROOT, file))) continue;
    const { name } = JSON.parse(readFileSync(path.join(ROOT, file), 'utf8')) as { name: string };
    rooms.set(name, path.dirname(file).split(path.sep).join('/'));
  }
  return rooms;
}

/** `@bailiwick/ledger/verify` to `@bailiwick/ledger`; a relative or built-in specifier to itself. */
export function toPackageName(specifier: string): string {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return specifier;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : (parts[0] ?? '');
}
