// SPDX-License-Identifier: Apache-2.0
// What a witness cosigned, in files: `<state>/logs/<hash of origin>/<version>`, each a cosigned checkpoint,
// written once. The highest version counts.
//
// A step is: write a file of another name, fsync it, link it to the next version's name, which fails when
// that name is taken, fsync the directory, and look whether something higher has appeared meanwhile. Older
// versions are removed only below one that is durable. So a kill at any moment leaves the old state or the
// new one, and two processes that were started over one directory by mistake cannot both be told yes: a
// rename would let the second overwrite the first.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { link, mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { WitnessStore } from '@bailiwick/ledger';
import { WitnessError } from './errors.ts';
import { EVIDENCE_COUNT_MAX, STATE_SIZE_BYTES_MAX } from './limits.ts';

const MARK_FILE = 'bailiwick-witness';
const MARK = 'bailiwick/witness-state/v1\n';
const ORIGIN_FILE = 'origin';
/** Versions have a fixed width, so that their names sort as they count. */
const VERSION = /^\d{16}$/;

/** A draft this old belongs to a process that died over it. */
const DRAFT_AGE_MS_MAX = 60_000;

const toName = (version: number): string => String(version).padStart(16, '0');
const toHash = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');

/**
 * Makes a state directory for a new witness; an existing one stays as it is.
 *
 * Never called by the process that serves: state that is lost must stop a witness, not start it anew.
 */
export function prepareStateDirectory(directory: string): void {
  const mark = path.join(directory, MARK_FILE);
  if (existsSync(mark)) return;
  for (const folder of ['logs', 'evidence']) {
    mkdirSync(path.join(directory, folder), { recursive: true, mode: 0o700 });
  }
  writeFileSync(mark, MARK, { mode: 0o600, flush: true });
}

/** Evidence that a log shows two histories. */
export interface EvidenceStore {
  /** Keeps a checkpoint; `false` when it was there or there is no room. */
  keep(note: string): Promise<boolean>;
}

/** Opens the state of a witness. @throws {WitnessError} `WITNESS_STATE_MISSING` */
export function openFileWitnessStore(directory: string): WitnessStore & EvidenceStore {
  const mark = path.join(directory, MARK_FILE);
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== MARK) {
    throw new WitnessError(
      'WITNESS_STATE_MISSING',
      `\`${directory}\` holds no state of a witness: \`bailiwick witness init\` makes it, once`,
    );
  }
  return new FileWitnessStore(directory);
}

class FileWitnessStore implements WitnessStore, EvidenceStore {
  readonly #logs: string;
  readonly #evidence: string;

  constructor(directory: string) {
    this.#logs = path.join(directory, 'logs');
    this.#evidence = path.join(directory, 'evidence');
  }

  async find(origin: string): Promise<{ version: number; note: string } | undefined> {
    const folder = path.join(this.#logs, toHash(origin));
    // Somebody else may have gone on and removed what was listed: then there is something higher.
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const version = await findHighest(folder);
      if (version === undefined) return undefined;
      const note = await readState(path.join(folder, toName(version)));
      if (note !== undefined) return { version, note };
    }
    throw new WitnessError('WITNESS_STATE_INVALID', 'the state of a log changes while it is read');
  }

  async advance(
    origin: string,
    next: { readonly version: number; readonly note: string },
  ): Promise<boolean> {
    const folder = path.join(this.#logs, toHash(origin));
    await this.#prepare(folder, origin);
    const draft = path.join(folder, `draft-${process.pid}-${randomBytes(8).toString('hex')}`);
    const target = path.join(folder, toName(next.version));
    try {
      await writeDurably(draft, next.note);
      try {
        await link(draft, target);
      } catch (error) {
        if (isCode(error, 'EEXIST')) return false;
        throw error;
      }
    } finally {
      await unlink(draft).catch(() => undefined);
    }
    await syncDirectory(folder);
    // SECURITY: a process that slept between looking and linking may have linked a name that others had
    // used and removed; then something higher stands there, and this step never was.
    const highest = await findHighest(folder);
    if (highest !== next.version) {
      await unlink(target).catch(() => undefined);
      return false;
    }
    await removeBelow(folder, next.version);
    return true;
  }

  async keep(note: string): Promise<boolean> {
    const names = await readdir(this.#evidence);
    const name = toHash(note);
    if (names.includes(name) || names.length >= EVIDENCE_COUNT_MAX) return false;
    await writeDurably(path.join(this.#evidence, name), note);
    await syncDirectory(this.#evidence);
    return true;
  }

  async #prepare(folder: string, origin: string): Promise<void> {
    if (existsSync(folder)) return;
    await mkdir(folder, { mode: 0o700, recursive: true });
    // For whoever looks into the directory; the notes themselves name their origin.
    await writeDurably(path.join(folder, ORIGIN_FILE), `${origin}\n`);
    await syncDirectory(this.#logs);
  }
}

async function findHighest(folder: string): Promise<number | undefined> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const versions = names.filter((name) => VERSION.test(name)).sort();
  const highest = versions.at(-1);
  if (highest !== undefined) return Number(highest);
  // A crash may leave the folder with drafts and without a version: nothing was answered yet.
  return undefined;
}

/** `undefined` when it is gone. */
async function readState(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    if (text.length <= STATE_SIZE_BYTES_MAX) return text;
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  throw new WitnessError('WITNESS_STATE_INVALID', 'a file of state is too large');
}

async function writeDurably(file: string, text: string): Promise<void> {
  const opened = await open(file, 'w', 0o600);
  try {
    await opened.writeFile(text, 'utf8');
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

/** Clears what a durable version has overtaken: older versions, and drafts of processes that died. */
async function removeBelow(folder: string, version: number): Promise<void> {
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const isOlder = VERSION.test(name) && Number(name) < version;
    if (isOlder || (name.startsWith('draft-') && (await isAbandoned(file)))) {
      await unlink(file).catch(() => undefined);
    }
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > DRAFT_AGE_MS_MAX;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
