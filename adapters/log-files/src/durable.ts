// SPDX-License-Identifier: Apache-2.0
// Files that are there whole or not at all, and names that only one can take.
import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, unlink } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

/** True for an error of the system with this code. */
export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** Makes names of a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const opened = await open(directory, 'r');
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function writeDraft(
  directory: string,
  bytes: string | Uint8Array,
  isDurable: boolean,
): Promise<string> {
  const draft = path.join(directory, `.draft-${process.pid}-${randomBytes(8).toString('hex')}`);
  const opened = await open(draft, 'wx', 0o600);
  try {
    await opened.writeFile(bytes);
    if (isDurable) await opened.sync();
  } finally {
    await opened.close();
  }
  return draft;
}

/**
 * Takes a name with these bytes, durably. `false` when somebody has it already: a link, unlike a rename,
 * never takes the place of what is there.
 */
export async function takeName(file: string, bytes: string | Uint8Array): Promise<boolean> {
  const directory = path.dirname(file);
  const draft = await writeDraft(directory, bytes, true);
  try {
    await link(draft, file);
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false;
    throw error;
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  await syncDirectory(directory);
  return true;
}

/** Puts a file in the place of its predecessor. */
export async function replaceFile(
  file: string,
  text: string,
  options: { readonly isDurable: boolean },
): Promise<void> {
  const directory = path.dirname(file);
  const draft = await writeDraft(directory, text, options.isDurable);
  await rename(draft, file);
  if (options.isDurable) await syncDirectory(directory);
}

/** A file's text, or nothing when there is none. */
export async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
