// SPDX-License-Identifier: Apache-2.0
// The built application, read once at the start: a handful of files, each with its compressed forms as the
// build wrote them. Nothing of a request is ever a path on the disk.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { CellError } from '../errors.ts';

export interface PortalFile {
  readonly contentType: string;
  readonly etag: string;
  /** Its name carries a hash of what is in it. */
  readonly isImmutable: boolean;
  readonly identity: Buffer;
  /** By content coding, best first. */
  readonly encoded: readonly { readonly coding: 'br' | 'gzip'; readonly bytes: Buffer }[];
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
  '.json': 'application/json; charset=utf-8',
  '.txt': 'text/plain; charset=utf-8',
};
const CODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;
const FILES_COUNT_MAX = 256;
const SIZE_BYTES_MAX = 8 * 1_048_576;

/** Reads the application. @throws {CellError} `CELL_STATE_MISSING`, `CELL_CONFIG_INVALID` */
export function readPortalFiles(directory: string): ReadonlyMap<string, PortalFile> {
  if (!existsSync(path.join(directory, 'index.html'))) {
    throw new CellError('CELL_STATE_MISSING', `\`${directory}\` holds no built portal`);
  }
  const files = new Map<string, PortalFile>();
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => name.split(path.sep).join('/'))
    .filter((name) => TYPES[path.extname(name)] !== undefined)
    .filter((name) => statSync(path.join(directory, name)).isFile())
    .sort();
  let sizeBytes = 0;
  for (const name of names) {
    const file = readPortalFile(directory, name);
    sizeBytes += file.identity.length;
    files.set(name, file);
  }
  if (files.size > FILES_COUNT_MAX || sizeBytes > SIZE_BYTES_MAX) {
    throw new CellError('CELL_CONFIG_INVALID', `\`${directory}\` is too large for a portal`);
  }
  return files;
}

function readPortalFile(directory: string, name: string): PortalFile {
  const at = path.join(directory, name);
  const identity = readFileSync(at);
  return {
    contentType: TYPES[path.extname(name)] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`,
    isImmutable: name.startsWith('assets/'),
    identity,
    encoded: CODINGS.flatMap(([coding, ending]) =>
      existsSync(at + ending) ? [{ coding, bytes: readFileSync(at + ending) }] : [],
    ),
  };
}
