// SPDX-License-Identifier: Apache-2.0
// Goal: the hierarchy works end to end on a real database: keys are made, wrapped, found again, disabled,
// enabled and erased; nothing in plain is stored; another tenant gets nothing. The key service runs in
// this process; `key-service.system.test.ts` runs it in its own.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type CollectionId,
  createUuidV7,
  isCoded,
  parseCellId,
  parseCollectionId,
  parseTenantId,
  type SubjectId,
  type TenantId,
} from '@bailiwick/kernel';
import { deriveSubjectId, verifyStatement, withMaterial } from '@bailiwick/keys';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyHandle, KeyOwner } from '../services.ts';
import { type OpenKeyRing, openLocalKeyRing } from './local-key-ring.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const cellId = parseCellId('eu-de/main');
const newTenantId = (): TenantId => parseTenantId(createUuidV7({ clock, random }));
const newId = (): string => createUuidV7({ clock, random });

let database: TestDatabase;
let directory: string;
let ring: OpenKeyRing;

async function open(): Promise<OpenKeyRing> {
  return openLocalKeyRing({
    cellId,
    clock,
    random,
    database: database.open(8),
    keysUrl: database.keysUrl,
    directory,
  });
}

beforeAll(async () => {
  database = await withTestDatabase();
  directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-keys-'));
  ring = await open();
});

afterAll(async () => {
  await ring.close();
  await database.close();
  rmSync(directory, { recursive: true, force: true });
});

async function provision(): Promise<TenantId> {
  const tenantId = newTenantId();
  await ring.administration.provisionTenant(tenantId);
  return tenantId;
}

async function subjects(tenantId: TenantId, count: number): Promise<SubjectId[]> {
  const { idKey } = await ring.secrets(tenantId);
  return Array.from({ length: count }, (_, index) => deriveSubjectId(idKey, `person-${index}`));
}

const toOwners = (ids: readonly SubjectId[]): KeyOwner[] =>
  ids.map((subjectId) => ({ kind: 'subject', subjectId }));

const materialOf = (handle: KeyHandle): string =>
  withMaterial(handle.key, (material) => material.toString('hex'));

async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof work === 'function' ? work() : work);
    return 'none';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

describe('sealing keys', () => {
  it('are made once, durable on return, and the same after a restart', async () => {
    const tenantId = await provision();
    const people = await subjects(tenantId, 3);
    const owners: KeyOwner[] = [
      ...toOwners(people),
      { kind: 'collection', collectionId: parseCollectionId('stock') },
      ...toOwners(people.slice(0, 1)),
    ];
    const first = await ring.sealingKeys(tenantId, owners);
    expect(first.length).toBe(5);
    expect(first[4]).toBe(first[0]);
    expect(new Set(first.map(({ keyId }) => keyId)).size).toBe(4);
    const before = first.map(materialOf);
    await ring.close();
    ring = await open();
    const again = await ring.sealingKeys(tenantId, owners);
    expect(again.map(materialOf)).toEqual(before);
    const opened = await ring.openingKeys(tenantId, first);
    expect(opened.map((one) => ('key' in one ? materialOf(one) : one.code))).toEqual(before);
  });

  it('come in thousands: one bucket for each 1,024 subjects, one statement for each batch', async () => {
    const tenantId = await provision();
    const people = await subjects(tenantId, 5000);
    const startedMs = performance.now();
    const keys = await ring.sealingKeys(tenantId, toOwners(people));
    const elapsedMs = performance.now() - startedMs;
    expect(new Set(keys.map(({ keyId }) => keyId)).size).toBe(5000);
    const buckets = await database.asOwner<{ count: number }>(
      `SELECT count(*)::int AS count FROM keys.subject_keys WHERE tenant_id = $1
        GROUP BY shred_key_id`,
      [tenantId],
    );
    expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(5000);
    expect(Math.max(...buckets.map(({ count }) => count))).toBeLessThanOrEqual(1024);
    expect(buckets.length).toBe(5);
    expect(elapsedMs).toBeLessThan(5000);
  });

  it('are one for a subject, whoever of several asks first', async () => {
    const tenantId = await provision();
    const people = await subjects(tenantId, 200);
    const rounds = await Promise.all(
      Array.from({ length: 8 }, () => ring.sealingKeys(tenantId, toOwners(people))),
    );
    const materials = rounds.map((round) => round.map(materialOf).join());
    expect(new Set(materials).size).toBe(1);
  });
});

describe('tenants', () => {
  it('never share a key and get nothing of each other', async () => {
    const [one, two] = [await provision(), await provision()];
    const people = await subjects(one, 2);
    const mine = await ring.sealingKeys(one, toOwners(people));
    const same = await ring.sealingKeys(two, toOwners(people));
    expect(mine.map(materialOf)).not.toEqual(same.map(materialOf));
    expect(await ring.openingKeys(two, mine)).toEqual([
      { code: 'KEYS_KEY_UNKNOWN' },
      { code: 'KEYS_KEY_UNKNOWN' },
    ]);
    const [ours, theirs] = [await ring.secrets(one), await ring.secrets(two)];
    expect(ours.idKey.equals(theirs.idKey)).toBe(false);
    expect(ours.factsKey.equals(theirs.factsKey)).toBe(false);
    const field = { collectionId: 'customers' as CollectionId, field: 'email', version: 1 };
    const index = await ours.indexKey(field);
    expect((await ours.indexKey(field)).equals(index)).toBe(true);
    expect((await theirs.indexKey(field)).equals(index)).toBe(false);
    expect((await ours.indexKey({ ...field, version: 2 })).equals(index)).toBe(false);
  });

  it('without keys are refused', async () => {
    expect(await codeOf(ring.secrets(newTenantId()))).toBe('KEYS_TENANT_UNKNOWN');
  });

  it('keep their keys when provisioned again', async () => {
    const tenantId = await provision();
    const { idKey } = await ring.secrets(tenantId);
    await ring.administration.provisionTenant(tenantId);
    expect((await ring.secrets(tenantId)).idKey.equals(idKey)).toBe(true);
  });
});

describe('what the cell may see', () => {
  it('is wraps of one tenant at a time, to read and add, and nothing else', async () => {
    const tenantId = await provision();
    await ring.sealingKeys(tenantId, toOwners(await subjects(tenantId, 1)));
    const cell = database.open(1);
    const run = (sql: string): Promise<string> =>
      codeOf(cell.withTenant(tenantId, (tx) => tx.query(sql)));
    for (const table of [
      'customer_keys',
      'tenant_keys',
      'secrets',
      'shred_keys',
      'changes',
      'erasures',
      'services',
    ]) {
      expect(await run(`SELECT FROM keys.${table}`)).toBe('42501');
    }
    expect(await run('UPDATE keys.subject_keys SET version = 2')).toBe('42501');
    expect(await run('DELETE FROM keys.subject_keys')).toBe('42501');
    expect(await run('SELECT FROM keys.subject_keys_0')).toBe('42501');
    const seen = await cell.withTenant(newTenantId(), (tx) =>
      tx.query('SELECT FROM keys.subject_keys'),
    );
    expect(seen.rowCount).toBe(0);
    const none = await cell.withTransaction((tx) => tx.query('SELECT FROM keys.subject_keys'));
    expect(none.rowCount).toBe(0);
  });

  it('holds no key in plain: not in the database, not in the erasable store', async () => {
    const tenantId = await provision();
    const handles = await ring.sealingKeys(tenantId, [
      ...toOwners(await subjects(tenantId, 2)),
      { kind: 'collection', collectionId: parseCollectionId('stock') },
    ]);
    const { idKey, factsKey, indexKey } = await ring.secrets(tenantId);
    const index = await indexKey({
      collectionId: parseCollectionId('customers'),
      field: 'email',
      version: 1,
    });
    const wraps = await database.asOwner<{ wrap: Buffer }>(
      `SELECT wrap FROM keys.subject_keys WHERE tenant_id = $1
       UNION ALL SELECT wrap FROM keys.collection_keys WHERE tenant_id = $1
       UNION ALL SELECT wrap FROM keys.tenant_keys WHERE tenant_id = $1
       UNION ALL SELECT wrap FROM keys.secrets WHERE tenant_id = $1 AND wrap IS NOT NULL`,
      [tenantId],
    );
    const folder = path.join(directory, 'erasable', 'a', tenantId);
    const objects = readdirSync(folder).map((name) => readFileSync(path.join(folder, name)));
    const stored = [...wraps.map(({ wrap }) => wrap), ...objects];
    expect(wraps.length).toBe(5);
    expect(objects.length).toBe(3);
    for (const key of [...handles.map(({ key }) => key), idKey, factsKey, index]) {
      withMaterial(key, (material) => {
        for (const bytes of stored) expect(bytes.includes(material)).toBe(false);
      });
    }
  });
});

describe('a customer key', () => {
  it('disabled closes everything, enabled opens it again; other tenants go on', async () => {
    const [tenantId, other] = [await provision(), await provision()];
    const people = await subjects(tenantId, 2);
    const keys = await ring.sealingKeys(tenantId, toOwners(people));
    await ring.secrets(other);
    const described = await ring.administration.describeKeys(tenantId);
    const customerKey = described.find(({ kind }) => kind === 'customer-key');
    if (customerKey === undefined) throw new Error('no customer key');
    expect(customerKey).toMatchObject({ state: 'enabled', provider: 'file', subjectsCount: 2 });
    const { keyId } = customerKey;
    const changeId = newId();
    const accepted = await ring.administration.changeState({
      changeId,
      tenantId,
      keyId,
      to: 'disabled',
    });
    expect(accepted.to).toBe('disabled');
    expect(await codeOf(() => ring.assertUsable(tenantId))).toBe('KEYS_CUSTOMER_KEY_DISABLED');
    const effective = await ring.administration.awaitChange(changeId, { timeoutMs: 2000 });
    expect(effective.effectiveAtMs).toBeGreaterThanOrEqual(effective.acceptedAtMs);
    // After a restart of the key service, leases of its earlier generations are waited out as well.
    const bodies = effective.statements.map((one) => verifyStatement(one, [one.publicKey]));
    expect(bodies).toContainEqual(
      expect.objectContaining({ kind: 'keys-dropped', tenant: tenantId, key: keyId, cell: cellId }),
    );
    expect(bodies.filter(({ kind }) => kind === 'keys-dropped').length).toBe(1);
    expect(await codeOf(ring.secrets(tenantId))).toBe('KEYS_CUSTOMER_KEY_DISABLED');
    expect(await codeOf(ring.openingKeys(tenantId, keys))).toBe('KEYS_CUSTOMER_KEY_DISABLED');
    expect(await codeOf(ring.sealingKeys(tenantId, toOwners(people)))).toBe(
      'KEYS_CUSTOMER_KEY_DISABLED',
    );
    ring.assertUsable(other);
    expect((await ring.secrets(other)).idKey.type).toBe('secret');
    // Asking again with the same id changes nothing.
    const repeated = await ring.administration.changeState({
      changeId,
      tenantId,
      keyId,
      to: 'disabled',
    });
    expect(repeated.effectiveAtMs).toBe(effective.effectiveAtMs);
    await ring.administration.changeState({ changeId: newId(), tenantId, keyId, to: 'enabled' });
    const opened = await ring.openingKeys(tenantId, keys);
    expect(opened.map((one) => ('key' in one ? materialOf(one) : one.code))).toEqual(
      keys.map(materialOf),
    );
    ring.assertUsable(tenantId);
  });

  it('stays disabled over a restart', async () => {
    const tenantId = await provision();
    const [customerKey] = await ring.administration.describeKeys(tenantId);
    if (customerKey === undefined) throw new Error('no key');
    const { keyId } = customerKey;
    const changeId = newId();
    await ring.administration.changeState({ changeId, tenantId, keyId, to: 'disabled' });
    await ring.close();
    ring = await open();
    expect(await codeOf(ring.secrets(tenantId))).toBe('KEYS_CUSTOMER_KEY_DISABLED');
    await ring.administration.changeState({ changeId: newId(), tenantId, keyId, to: 'enabled' });
    expect(await codeOf(ring.secrets(tenantId))).toBe('none');
  });

  it('cannot be changed by another id or for another tenant', async () => {
    const [one, two] = [await provision(), await provision()];
    const [customerKey, tenantKey] = await ring.administration.describeKeys(one);
    const change = (tenantId: TenantId, keyId: KeyHandle['keyId'] | undefined): Promise<string> =>
      keyId === undefined
        ? Promise.resolve('no key')
        : codeOf(
            ring.administration.changeState({ changeId: newId(), tenantId, keyId, to: 'disabled' }),
          );
    expect(await change(one, tenantKey?.keyId)).toBe('KEYS_KEY_UNKNOWN');
    expect(await change(two, customerKey?.keyId)).toBe('KEYS_KEY_UNKNOWN');
  });
});

describe('an erased subject', () => {
  it('is gone, signed for by each replica; survivors of the bucket read on', async () => {
    const tenantId = await provision();
    const people = await subjects(tenantId, 40);
    const keys = await ring.sealingKeys(tenantId, toOwners(people));
    const before = keys.map(materialOf);
    const [person] = people;
    if (person === undefined) throw new Error('nobody');
    const erasureId = newId();
    const receipt = await ring.administration.eraseSubject({
      erasureId,
      tenantId,
      subjectId: person,
    });
    expect(receipt).toMatchObject({ state: 'done', survivorsCount: 39, isExtractable: true });
    expect(receipt.keyIds).toEqual([keys[0]?.keyId]);
    expect(receipt.retired.length).toBe(1);
    const replicaKeys = receipt.replicas.map(({ publicKey }) => publicKey);
    const destroyed = receipt.statements.filter(({ publicKey }) => replicaKeys.includes(publicKey));
    expect(destroyed.map((one) => verifyStatement(one, replicaKeys)['wasThere'])).toEqual([
      true,
      true,
    ]);
    const opened = await ring.openingKeys(tenantId, keys);
    expect(opened[0]).toEqual({ code: 'KEYS_KEY_ERASED' });
    expect(opened.slice(1).map((one) => ('key' in one ? materialOf(one) : one.code))).toEqual(
      before.slice(1),
    );
    await ring.close();
    ring = await open();
    const again = await ring.openingKeys(tenantId, keys);
    expect(again[0]).toEqual({ code: 'KEYS_KEY_ERASED' });
    expect(again.slice(1).map((one) => ('key' in one ? materialOf(one) : one.code))).toEqual(
      before.slice(1),
    );
    // The same erasure again is the same erasure.
    const repeated = await ring.administration.eraseSubject({
      erasureId,
      tenantId,
      subjectId: person,
    });
    expect(repeated.doneAtMs).toBe(receipt.doneAtMs);
    // A new relation is a new key; the old one stays gone.
    const [fresh] = await ring.sealingKeys(tenantId, toOwners([person]));
    expect(fresh?.keyId).not.toBe(keys[0]?.keyId);
    expect((await ring.openingKeys(tenantId, keys.slice(0, 1)))[0]).toEqual({
      code: 'KEYS_KEY_ERASED',
    });
  });

  it('never costs a survivor its key, whoever writes to the bucket meanwhile', async () => {
    const tenantId = await provision();
    const people = await subjects(tenantId, 300);
    const known = new Map<SubjectId, string>();
    const add = async (ids: readonly SubjectId[]): Promise<void> => {
      const made = await ring.sealingKeys(tenantId, toOwners(ids));
      for (const [index, handle] of made.entries()) {
        const id = ids[index];
        if (id !== undefined) known.set(id, `${handle.keyId} ${materialOf(handle)}`);
      }
    };
    await add(people.slice(0, 100));
    const erased = people.slice(0, 5);
    await Promise.all([
      ...erased.map((subjectId) =>
        ring.administration.eraseSubject({ erasureId: newId(), tenantId, subjectId }),
      ),
      ...Array.from({ length: 20 }, (_, index) =>
        add(people.slice(100 + index * 10, 110 + index * 10)),
      ),
    ]);
    await ring.close();
    ring = await open();
    const living = people.slice(5);
    const handles = await ring.sealingKeys(tenantId, toOwners(living));
    expect(handles.map((handle) => `${handle.keyId} ${materialOf(handle)}`)).toEqual(
      living.map((id) => known.get(id)),
    );
  });

  it('who was never known gives a receipt that says so', async () => {
    const tenantId = await provision();
    const [nobody] = await subjects(tenantId, 1);
    if (nobody === undefined) throw new Error('nobody');
    const receipt = await ring.administration.eraseSubject({
      erasureId: newId(),
      tenantId,
      subjectId: nobody,
    });
    expect(receipt).toMatchObject({ state: 'done', keyIds: [], retired: [], survivorsCount: 0 });
  });
});

describe('the key service', () => {
  it('acts once in a cell: a second one is refused while the first one lives', async () => {
    expect(await codeOf(open())).toBe('KEYS_SERVICE_REFUSED');
    expect(isCoded(new Error('x'), 'KEYS_SERVICE_REFUSED')).toBe(false);
  });
});
