// SPDX-License-Identifier: Apache-2.0
// Invariant 9 on a copied disk. Goal: a file-level copy of the whole database directory with its WAL,
// taken while it runs and before a person's erasure, opens nothing of the person afterwards, though the
// customer key, the living tenant key and today's erasable store are in hand.
// Method: the attack is done in full twice. Before the erasure it succeeds (so the attack is a real one),
// after it every way fails. The erased bucket's shred key is also looked for in the raw bytes of the copy.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openErasableStore } from '@bailiwick/erasable-store';
import {
  createUuidV7,
  isCoded,
  type KeyId,
  parseCellId,
  parseCollectionId,
  parseKeyId,
  parseRecordId,
  parseResidency,
  parseTenantId,
  type SubjectId,
} from '@bailiwick/kernel';
import {
  deriveSubjectId,
  deriveSubjectWrappingKey,
  openValue,
  parseSealedValue,
  sealValue,
  unwrapKey,
  withMaterial,
} from '@bailiwick/keys';
import { openFileProvider } from '@bailiwick/kms-file';
import {
  CELL_ROLE,
  type Database,
  type EmbeddedServer,
  KEYS_ROLE,
  openDatabase,
  prepareCellDatabase,
  startEmbeddedServer,
  toRoleUrl,
} from '@bailiwick/postgres';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toSubjectKeyContext } from '../key-service/subject-key.ts';
import { type OpenKeyRing, openLocalKeyRing } from '../keys/local-key-ring.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const cellId = parseCellId('eu-de/main');
const password = 'test-password-0123456789';
const tenantId = parseTenantId(createUuidV7({ clock, random }));
const PLAINTEXT = Buffer.from('{"email":"erika@example.test"}');

let directory: string;
let live: EmbeddedServer;
let copy: EmbeddedServer | undefined;
let database: Database;
let ring: OpenKeyRing;
let people: readonly SubjectId[];
let sealed: readonly Buffer[];
/** The bucket's object as it lay in the erasable store: the copy must not hold it. */
let shredObject: Buffer;

const at = (...parts: string[]): string => path.join(directory, ...parts);
const keysDirectory = (): string => at('keys');

async function openRing(
  server: EmbeddedServer,
): Promise<{ ring: OpenKeyRing; database: Database }> {
  const opened = openDatabase({
    url: toRoleUrl(server.url, { role: CELL_ROLE, password }),
    poolSize: 4,
    applicationName: 'shredded-copy',
  });
  const keysUrl = toRoleUrl(server.url, { role: KEYS_ROLE, password });
  const options = { cellId, clock, random, database: opened, keysUrl };
  return {
    ring: await openLocalKeyRing({ ...options, directory: keysDirectory() }),
    database: opened,
  };
}

beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-shredded-'));
  chmodSync(directory, 0o711); // the server's account passes through
  live = await startEmbeddedServer({ directory: at('live') });
  await prepareCellDatabase({ ownerUrl: live.url, cellPassword: password, keysPassword: password });
  ({ ring, database } = await openRing(live));
  await ring.administration.provisionTenant(tenantId);
  const { idKey } = await ring.secrets(tenantId);
  people = ['erika', 'max'].map((name) => deriveSubjectId(idKey, name));
  const handles = await ring.sealingKeys(
    tenantId,
    people.map((subjectId) => ({ kind: 'subject', subjectId })),
  );
  sealed = handles.map((handle) =>
    sealValue(
      handle,
      {
        tenantId,
        cellId,
        residency: parseResidency('eu-de'),
        origin: 'de',
        regimes: ['gdpr'],
        class: 'restricted',
        category: 'contact',
        purpose: 'order-fulfilment',
        collectionId: parseCollectionId('customers'),
        fieldSet: 'contact',
        lawDate: 20_000,
      },
      parseRecordId(createUuidV7({ clock, random })),
      PLAINTEXT,
    ),
  );
});

afterAll(async () => {
  await ring.close();
  await database.close();
  await live.stop();
  await copy?.stop();
  rmSync(directory, { recursive: true, force: true });
});

interface Attack {
  readonly keyId: KeyId;
  readonly subjectId: SubjectId;
  readonly shredKeyId: KeyId;
  readonly wrap: Buffer;
}

/** What a superuser of the copied database reads of the person's key. */
async function stealWrap(server: EmbeddedServer, subjectId: SubjectId): Promise<Attack> {
  const { rows } = await ask(
    server,
    'SELECT key_id, shred_key_id, wrap FROM keys.subject_keys WHERE subject_id = $1',
    [subjectId],
  );
  const row = rows[0];
  if (row === undefined || !Buffer.isBuffer(row['wrap'])) throw new Error('no wrap in the copy');
  return {
    keyId: parseKeyId(String(row['key_id'])),
    subjectId,
    shredKeyId: parseKeyId(String(row['shred_key_id'])),
    wrap: row['wrap'],
  };
}

async function ask(server: EmbeddedServer, sql: string, values: readonly unknown[]) {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  try {
    return await client.query<Record<string, unknown>>(sql, [...values]);
  } finally {
    await client.end();
  }
}

/** The living tenant key, unwrapped with the customer key as the key service does. */
async function stealTenantKey(server: EmbeddedServer) {
  const { rows } = await ask(server, 'SELECT * FROM keys.tenant_keys WHERE tenant_id = $1', [
    tenantId,
  ]);
  const row = rows[0];
  if (row === undefined || !Buffer.isBuffer(row['wrap'])) throw new Error('no tenant key');
  const keyId = parseKeyId(String(row['key_id']));
  const under = parseKeyId(String(row['customer_key_id']));
  const provider = openFileProvider({ directory: at('keys', 'keys') });
  const key = await provider.unwrap(under, row['wrap'], {
    kind: 'tenant-key',
    cellId,
    tenantId,
    keyId,
    version: 1,
    owner: tenantId,
    under,
    underVersion: 1,
  });
  return { key, keyId };
}

/** Tries to open a wrap with the tenant key and each object of the erasable store; counts the tries. */
async function attack(server: EmbeddedServer, stolen: Attack) {
  const tenantKey = await stealTenantKey(server);
  const store = await openErasableStore({
    replicas: [at('keys', 'erasable', 'a'), at('keys', 'erasable', 'b')],
    clock,
  });
  let tries = 0;
  for (const name of readdirSync(at('keys', 'erasable', 'a', tenantId))) {
    const objectId = parseKeyId(name);
    const object = await store.find({ tenantId, objectId });
    if (object === undefined) continue;
    tries += 1;
    try {
      const shredKey = unwrapKey(tenantKey.key, object, {
        kind: 'shred-key',
        cellId,
        tenantId,
        keyId: objectId,
        version: 1,
        owner: tenantId,
        under: tenantKey.keyId,
        underVersion: 1,
      });
      // As if it were the bucket's own, and under its own name.
      for (const shredKeyId of [stolen.shredKeyId, objectId]) {
        const wrappingKey = deriveSubjectWrappingKey(
          { tenantKey: tenantKey.key, shredKey },
          { cellId, tenantId, tenantKeyId: tenantKey.keyId, tenantKeyVersion: 1, shredKeyId },
        );
        const context = toSubjectKeyContext(
          { cellId, tenantId },
          { ...stolen, version: 1, shredKeyId: stolen.shredKeyId },
        );
        try {
          return { tries, key: unwrapKey(wrappingKey, stolen.wrap, context) };
        } catch (error) {
          if (!isCoded(error, 'KEYS_KEY_UNREADABLE')) throw error;
        }
      }
    } catch (error) {
      if (!isCoded(error, 'KEYS_KEY_UNREADABLE')) throw error;
    }
  }
  return { tries, key: undefined };
}

function readTree(folder: string): Buffer[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(path.join(entry.parentPath, entry.name)));
}

const first = <T>(items: readonly T[]): T => {
  const [item] = items;
  if (item === undefined) throw new Error('nothing there');
  return item;
};

describe('a copy of the disk from before the erasure', () => {
  it('opens the person while the erasable store still has the key: the attack is a real one', async () => {
    const cluster = readdirSync(at('live')).includes('cluster');
    expect(cluster).toBe(true);
    await ask(live, 'CHECKPOINT', []);
    // While it runs: data files and WAL as they are. Without the pid file, which names the live server.
    cpSync(at('live'), at('copy'), {
      recursive: true,
      filter: (source) => !/postmaster\.(pid|opts)$|\.(lock|claim)$|\/owner/.test(source),
    });
    const stolen = await stealWrap(live, first(people));
    shredObject = readFileSync(at('keys', 'erasable', 'a', tenantId, stolen.shredKeyId));
    const { key } = await attack(live, stolen);
    if (key === undefined) throw new Error('the attack does not work at all');
    expect(openValue(key, parseSealedValue(first(sealed)))).toEqual(PLAINTEXT);
  });

  it('opens nothing of the person after it, with the living tenant key in hand', async () => {
    const receipt = await ring.administration.eraseSubject({
      erasureId: createUuidV7({ clock, random }),
      tenantId,
      subjectId: first(people),
    });
    expect(receipt).toMatchObject({ state: 'done', survivorsCount: 1 });
    copy = await startEmbeddedServer({ directory: at('copy') });
    const stolen = await stealWrap(copy, first(people));
    expect(receipt.retired).toEqual([stolen.shredKeyId]);
    const { tries, key } = await attack(copy, stolen);
    expect(key).toBeUndefined();
    // The id key and the survivors' new bucket are still there, so something was tried.
    expect(tries).toBeGreaterThanOrEqual(2);
  });

  it('holds the shred key in no form: not in a table, not in the WAL, not in a log', () => {
    const files = readTree(at('copy'));
    const sizeBytes = files.reduce((sum, file) => sum + file.length, 0);
    expect(files.length).toBeGreaterThan(500);
    expect(sizeBytes).toBeGreaterThan(20_000_000);
    for (const file of files) expect(file.includes(shredObject)).toBe(false);
    // A control: what must be in a copy of the database is found by the same search.
    const wrapIsThere = files.some((file) => file.includes(Buffer.from('subject_keys')));
    expect(wrapIsThere).toBe(true);
    expect(statSync(at('copy')).isDirectory()).toBe(true);
  });

  it('put back as the live database reads neither the person nor, without wraps of today, survivors', async () => {
    await ring.close();
    await database.close();
    if (copy === undefined) throw new Error('no copy');
    const keys = await keyIdsOf(copy);
    ({ ring, database } = await openRing(copy));
    expect(await ring.openingKeys(tenantId, keys)).toEqual([
      { code: 'KEYS_KEY_UNREADABLE' },
      { code: 'KEYS_KEY_UNREADABLE' },
    ]);
    // The wraps of today, from the newest wrap table, bring survivors back and nobody else.
    await ring.close();
    await database.close();
    ({ ring, database } = await openRing(live));
    const [erased, survivor] = await ring.openingKeys(tenantId, keys);
    expect(erased).toEqual({ code: 'KEYS_KEY_ERASED' });
    if (survivor === undefined || !('key' in survivor)) throw new Error('the survivor is lost');
    const value = sealed[1];
    if (value === undefined) throw new Error('no value');
    expect(openValue(survivor.key, parseSealedValue(value))).toEqual(PLAINTEXT);
    expect(withMaterial(survivor.key, (material) => material.length)).toBe(32);
  });
});

async function keyIdsOf(server: EmbeddedServer) {
  const ids: { keyId: KeyId; version: number }[] = [];
  for (const subjectId of people) {
    ids.push({ keyId: (await stealWrap(server, subjectId)).keyId, version: 1 });
  }
  return ids;
}
