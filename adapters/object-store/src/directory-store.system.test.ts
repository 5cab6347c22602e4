// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describeObjectStore } from '@bailiwick/testkit/suites/object-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDirectoryStore } from './directory-store.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-objects-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describeObjectStore('directory', async () => ({
  store: await openDirectoryStore({ directory }),
  again: () => openDirectoryStore({ directory }),
  close: async () => undefined,
}));

describe('a directory as object store', () => {
  const TERM = { retainUntilMs: Date.UTC(2040, 0, 1) };

  it('is not made silently', async () => {
    const absent = path.join(directory, 'absent');
    await expect(openDirectoryStore({ directory: absent })).rejects.toMatchObject({
      code: 'BACKUPS_STORE_UNAVAILABLE',
    });
    writeFileSync(path.join(directory, 'file'), '');
    await expect(
      openDirectoryStore({ directory: path.join(directory, 'file') }),
    ).rejects.toMatchObject({
      code: 'BACKUPS_STORE_UNAVAILABLE',
    });
  });

  it('commits objects as WORM volumes want it: read-only, their access time the end of the term', async () => {
    const store = await openDirectoryStore({ directory });
    await store.put('a/one', [Buffer.from('x')], TERM);
    const { mode, atimeMs } = statSync(path.join(directory, 'a/one'));
    expect(mode & 0o222).toBe(0);
    expect(atimeMs).toBe(TERM.retainUntilMs);
  });

  it('leaves nothing behind of what failed', async () => {
    const store = await openDirectoryStore({ directory });
    const put = store.put(
      'one',
      (async function* () {
        yield Buffer.from('half');
        throw new Error('ended');
      })(),
      TERM,
    );
    await expect(put).rejects.toMatchObject({ code: 'BACKUPS_STORE_UNAVAILABLE' });
    expect(readdirSync(path.join(directory, '.incoming'))).toEqual([]);
  });

  it('refuses a file that it did not write', async () => {
    const store = await openDirectoryStore({ directory });
    writeFileSync(path.join(directory, 'foreign'), 'not ours, and long enough for a header');
    const read = async (): Promise<void> => {
      for await (const _ of store.read('foreign'));
    };
    await expect(read()).rejects.toMatchObject({ code: 'BACKUPS_OBJECT_DAMAGED' });
  });
});
