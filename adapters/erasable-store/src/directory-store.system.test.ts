// SPDX-License-Identifier: Apache-2.0
// Goal: the erasable store over directories keeps the port's promises, and refuses to open when replicas
// are absent, mixed up or copied. Method: the port's suite, then each way to set it up wrongly.
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseKeyId, parseTenantId } from '@bailiwick/kernel';
import { createFakeClock } from '@bailiwick/testkit';
import { describeErasableStore } from '@bailiwick/testkit/suites/erasable-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createErasableStore, openErasableStore } from './index.ts';

const clock = createFakeClock();
let directory: string;
let replicas: string[];

function makeReplicas(...names: readonly string[]): string[] {
  return names.map((name) => {
    const replica = path.join(directory, name);
    mkdirSync(replica, { mode: 0o700 });
    return replica;
  });
}

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-erasable-'));
  replicas = makeReplicas('a', 'b');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (folders: readonly string[] = replicas) =>
  openErasableStore({ replicas: folders, clock });

describeErasableStore('directories', async () => {
  await createErasableStore({ replicas });
  const [, second = ''] = replicas;
  return {
    store: await open(),
    again: () => open(),
    holds: async (bytes) =>
      readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .some((entry) =>
          readFileSync(path.join(entry.parentPath, entry.name)).includes(Buffer.from(bytes)),
        ),
    // A file where the directory was: nothing below it can be read or written, whoever asks.
    breakReplica: async () => {
      renameSync(second, `${second}.away`);
      writeFileSync(second, '');
    },
    recover: async () => {
      if (!readdirSync(directory).includes('b.away')) return;
      rmSync(second, { force: true, recursive: true });
      renameSync(`${second}.away`, second);
    },
    close: async () => undefined,
  };
});

describe('setting up', () => {
  const refused = { code: 'KEYS_ERASABLE_STORE_MISCONFIGURED' };

  it('makes no directory', async () => {
    const absent = [path.join(directory, 'x'), path.join(directory, 'y')];
    await expect(createErasableStore({ replicas: absent })).rejects.toMatchObject(refused);
    await expect(open(absent)).rejects.toMatchObject(refused);
    expect(readdirSync(directory).sort()).toEqual(['a', 'b']);
  });

  it('takes no fewer than two replicas, and never the same directory twice', async () => {
    const [a = ''] = replicas;
    await expect(createErasableStore({ replicas: [a] })).rejects.toMatchObject(refused);
    await expect(createErasableStore({ replicas: [a, a] })).rejects.toMatchObject(refused);
    await createErasableStore({ replicas });
    await expect(open([a])).rejects.toMatchObject(refused);
    await expect(open([a, a])).rejects.toMatchObject(refused);
    const link = path.join(directory, 'link');
    symlinkSync(a, link);
    await expect(open([a, link])).rejects.toMatchObject(refused);
  });

  it('never gives a replica a new identity', async () => {
    await createErasableStore({ replicas });
    await expect(createErasableStore({ replicas })).rejects.toMatchObject(refused);
  });

  it('refuses empty directories, a missing replica, a copy, and replicas of two stores', async () => {
    await expect(open()).rejects.toMatchObject(refused);
    await createErasableStore({ replicas });
    const [a = '', b = ''] = replicas;
    const copied = path.join(directory, 'copied');
    cpSync(a, copied, { recursive: true });
    chmodSync(copied, 0o700);
    await expect(open([a, copied])).rejects.toMatchObject(refused);
    const others = makeReplicas('c', 'd');
    await createErasableStore({ replicas: others });
    await expect(open([a, others[0] ?? ''])).rejects.toMatchObject(refused);
    await expect(open([a, b, others[0] ?? ''])).rejects.toMatchObject(refused);
    await expect(open([a, path.join(directory, 'gone')])).rejects.toMatchObject(refused);
  });

  it.each([
    ['an identity that is not JSON', '{'],
    ['an identity without a key', '{"storeId":"a","replicaId":"b","replicaIds":["b"]}'],
    [
      'an identity with nonsense as key',
      '{"storeId":"a","replicaId":"b","replicaIds":["b"],"privateKey":"AAAA"}',
    ],
  ])('refuses %s', async (_, text) => {
    await createErasableStore({ replicas });
    writeFileSync(path.join(replicas[0] ?? '', 'replica.json'), text);
    await expect(open()).rejects.toMatchObject(refused);
  });

  it('refuses a replica that others may read', async () => {
    await createErasableStore({ replicas });
    chmodSync(replicas[0] ?? '', 0o755);
    await expect(open()).rejects.toMatchObject(refused);
  });
});

describe('replicas that differ', () => {
  const name = {
    tenantId: parseTenantId('0198c0de-0000-7000-8000-000000000001'),
    objectId: parseKeyId('0198c0de-0000-7000-8000-0000000000aa'),
  };
  const fileIn = (replica: string | undefined): string =>
    path.join(replica ?? '', name.tenantId, name.objectId);

  it('give nothing when they hold different objects', async () => {
    await createErasableStore({ replicas });
    const store = await open();
    await store.put(name, Buffer.alloc(104, 1));
    writeFileSync(fileIn(replicas[1]), Buffer.alloc(104, 2));
    await expect(store.find(name)).rejects.toMatchObject({ code: 'KEYS_ERASABLE_STORE_FAILED' });
  });

  it('give what the other has when one lost it, and destroy what a crash left beside', async () => {
    await createErasableStore({ replicas });
    const store = await open();
    const object = Buffer.alloc(104, 7);
    await store.put(name, object);
    rmSync(fileIn(replicas[0]));
    writeFileSync(`${fileIn(replicas[0])}.new`, object);
    expect(await store.find(name)).toEqual(object);
    await store.destroy(name);
    const left = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && entry.name !== 'replica.json',
    );
    expect(left).toEqual([]);
  });
});
