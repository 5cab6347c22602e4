// SPDX-License-Identifier: Apache-2.0
// Goal: a full disk is told as what it is, nothing is half written, and all goes on by itself once there is
// room. Method: real disks of a few megabytes under the erasable store and under PostgreSQL.
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createErasableStore, openErasableStore } from '@bailiwick/erasable-store';
import { parseKeyId, parseTenantId } from '@bailiwick/kernel';
import { findDatabaseFault, openDatabase, startEmbeddedServer } from '@bailiwick/postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitUntil } from '../system/wait-until.ts';
import { mountSmallDisk, type SmallDisk } from './small-disk.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const disks: SmallDisk[] = [];
let folder: string;
// Elsewhere a user may not mount: these tests need root, as the machines that run all of them have.
const canMount = process.getuid?.() === 0 && probe();

function probe(): boolean {
  const disk = mountSmallDisk(1);
  disk?.remove();
  return disk !== undefined;
}

function mount(sizeMegabytes: number): SmallDisk {
  const disk = mountSmallDisk(sizeMegabytes);
  if (disk === undefined) throw new Error('no disk was mounted');
  disks.push(disk);
  return disk;
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-faults-'));
});
afterAll(() => {
  for (const disk of disks) disk.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe.runIf(canMount)('a full disk', () => {
  it('under one replica of the erasable store refuses new keys, keeps the old, and passes', async () => {
    const disk = mount(1);
    const replicas = [path.join(disk.directory, 'a'), path.join(folder, 'b')];
    for (const replica of replicas) mkdirSync(replica, { mode: 0o700 });
    await createErasableStore({ replicas });
    const store = await openErasableStore({ replicas, clock });
    const tenantId = parseTenantId(randomUUID());
    const newName = () => ({ tenantId, objectId: parseKeyId(randomUUID()) });
    const [old, refused] = [newName(), newName()];
    const bytes = Buffer.alloc(104, 7);
    await store.put(old, bytes);
    disk.fill();
    await expect(store.put(refused, bytes)).rejects.toMatchObject({
      code: 'KEYS_ERASABLE_STORE_FAILED',
    });
    expect(await store.find(old), 'what was there can be read').toEqual(bytes);
    // A store that is opened over a full disk finds what it had.
    const again = await openErasableStore({ replicas, clock });
    expect(await again.find(old)).toEqual(bytes);
    disk.free();
    await store.put(refused, bytes);
    expect(await store.find(refused)).toEqual(bytes);
    await store.destroy(old);
    expect(await store.find(old)).toBeUndefined();
  });

  it('can still destroy a key, because erasing needs no room', async () => {
    const disk = mount(1);
    const replicas = [path.join(disk.directory, 'a'), path.join(folder, 'c')];
    for (const replica of replicas) mkdirSync(replica, { mode: 0o700 });
    await createErasableStore({ replicas });
    const store = await openErasableStore({ replicas, clock });
    const name = { tenantId: parseTenantId(randomUUID()), objectId: parseKeyId(randomUUID()) };
    await store.put(name, Buffer.alloc(104, 7));
    disk.fill();
    const statements = await store.destroy(name);
    expect(statements).toHaveLength(2);
    expect(await store.find(name)).toBeUndefined();
  });

  it('under PostgreSQL is told as full, loses nothing acknowledged, and passes', async () => {
    const disk = mount(160);
    const server = await startEmbeddedServer({
      directory: path.join(disk.directory, 'postgres'),
      settings: { max_wal_size: '48MB', min_wal_size: '32MB', wal_recycle: 'off' },
    });
    const database = openDatabase({ url: server.url, poolSize: 2, applicationName: 'faults' });
    try {
      await database.pool.query('CREATE TABLE kept (id integer PRIMARY KEY, body bytea)');
      await database.pool.query('ALTER TABLE kept ALTER COLUMN body SET STORAGE EXTERNAL');
      let acknowledged = 0;
      let fault: unknown;
      for (let id = 1; fault === undefined && id <= 2_000; id += 1) {
        try {
          await database.pool.query(
            'INSERT INTO kept SELECT $1::int, decode(repeat(md5($1::int::text), 16384), $2)',
            [id, 'hex'],
          );
          acknowledged = id;
        } catch (error) {
          fault = findDatabaseFault(error) ?? error;
        }
      }
      // Where the log of the server itself has no room it stops at once and starts again.
      expect(['full', 'unreachable']).toContain(fault);
      expect(acknowledged).toBeGreaterThan(10);
      const { rows } = await waitUntil('the database to answer again', async () => {
        const count = 'SELECT count(*)::int AS count FROM kept WHERE id <= $1';
        return database.pool.query<{ count: number }>(count, [acknowledged]).catch(() => undefined);
      });
      expect(rows[0]?.count, 'nothing acknowledged is lost').toBe(acknowledged);
    } finally {
      await database.close();
      await server.stop();
    }
  });
});
