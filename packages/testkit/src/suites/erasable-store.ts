// SPDX-License-Identifier: Apache-2.0
// Goal: every erasable store keeps what it took in all replicas, never overwrites, and after a destruction
// that each replica signed has the object nowhere. Method: the same cases on every store.
import { createUuidV7, parseKeyId, parseTenantId } from '@bailiwick/kernel';
import { type ErasableName, type ErasableStore, verifyStatement } from '@bailiwick/keys';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../fake-clock.ts';
import { createSeededRandom } from '../seeded-random.ts';

/** A store under test and what can be done to it from its other side. */
export interface OpenedErasableStore {
  readonly store: ErasableStore;
  /** The same store as another process would open it. */
  again(): Promise<ErasableStore>;
  /** True when some medium of the store holds these bytes. */
  holds(bytes: Uint8Array): Promise<boolean>;
  /** Makes one replica refuse, until `recover`. */
  breakReplica(): Promise<void>;
  recover(): Promise<void>;
  close(): Promise<void>;
}

const ports = { clock: createFakeClock(), random: createSeededRandom('erasable-store') };
const tenantId = parseTenantId('0198c0de-0000-7000-8000-000000000001');
const aName = (): ErasableName => ({ tenantId, objectId: parseKeyId(createUuidV7(ports)) });
const anObject = (): Buffer => Buffer.from(ports.random.bytes(104));

/** Holds a store to the port's promises. */
export function describeErasableStore(
  name: string,
  open: () => Promise<OpenedErasableStore>,
): void {
  describe(`erasable store: ${name}`, () => {
    let opened: OpenedErasableStore | undefined;
    const openOne = async (): Promise<OpenedErasableStore> => {
      opened = await open();
      return opened;
    };
    afterEach(async () => {
      await opened?.recover();
      await opened?.close();
      opened = undefined;
    });

    it('has at least two replicas, each with a key of its own', async () => {
      const { store } = await openOne();
      expect(store.replicas.length).toBeGreaterThanOrEqual(2);
      const { replicas } = store;
      expect(new Set(replicas.map(({ publicKey }) => publicKey)).size).toBe(replicas.length);
      expect(new Set(replicas.map(({ replicaId }) => replicaId)).size).toBe(replicas.length);
    });

    it('gives back what it took, also to another process', async () => {
      const { store, again } = await openOne();
      const [one, object] = [aName(), anObject()];
      await store.put(one, object);
      await store.put(one, object);
      expect(await store.find(one)).toEqual(object);
      expect(await (await again()).find(one)).toEqual(object);
      expect(await store.find(aName())).toBeUndefined();
    });

    it('overwrites nothing', async () => {
      const { store } = await openOne();
      const [one, object] = [aName(), anObject()];
      await store.put(one, object);
      await expect(store.put(one, anObject())).rejects.toMatchObject({
        code: 'KEYS_ERASABLE_STORE_FAILED',
      });
      expect(await store.find(one)).toEqual(object);
    });

    it.each([0, 4097, 100_000])('takes no object of %i bytes', async (size) => {
      const { store } = await openOne();
      await expect(store.put(aName(), Buffer.alloc(size, 1))).rejects.toMatchObject({
        code: 'KEYS_ERASABLE_STORE_FAILED',
      });
    });

    it('destroys in every replica, each of which signs, and holds the bytes nowhere', async () => {
      const { store, again, holds } = await openOne();
      const [one, other, object, kept] = [aName(), aName(), anObject(), anObject()];
      await store.put(one, object);
      await store.put(other, kept);
      expect(await holds(object)).toBe(true);
      const statements = await store.destroy(one);
      const publicKeys = store.replicas.map(({ publicKey }) => publicKey);
      const bodies = statements.map((statement) => verifyStatement(statement, publicKeys));
      expect(bodies.map((body) => body['replica']).sort()).toEqual(
        store.replicas.map(({ replicaId }) => replicaId).sort(),
      );
      for (const body of bodies) {
        expect(body).toMatchObject({
          kind: 'object-destroyed',
          tenant: one.tenantId,
          object: one.objectId,
          wasThere: true,
        });
      }
      expect(await store.find(one)).toBeUndefined();
      expect(await (await again()).find(one)).toBeUndefined();
      expect(await holds(object)).toBe(false);
      expect(await store.find(other)).toEqual(kept);
    });

    it('destroys again without harm and says that nothing was there', async () => {
      const { store } = await openOne();
      const one = aName();
      await store.put(one, anObject());
      await store.destroy(one);
      const publicKeys = store.replicas.map(({ publicKey }) => publicKey);
      for (const statement of await store.destroy(one)) {
        expect(verifyStatement(statement, publicKeys)['wasThere']).toBe(false);
      }
    });

    it('finds with a replica away, and neither takes nor destroys until it is back', async () => {
      const { store, breakReplica, recover } = await openOne();
      const [one, object] = [aName(), anObject()];
      await store.put(one, object);
      await breakReplica();
      const failed = { code: 'KEYS_ERASABLE_STORE_FAILED' };
      expect(await store.find(one)).toEqual(object);
      await expect(store.put(aName(), anObject())).rejects.toMatchObject(failed);
      await expect(store.destroy(one)).rejects.toMatchObject(failed);
      await recover();
      expect((await store.destroy(one)).length).toBe(store.replicas.length);
      expect(await store.find(one)).toBeUndefined();
    });

    it('signs nothing that verifies as another replica or another object', async () => {
      const { store } = await openOne();
      const one = aName();
      await store.put(one, anObject());
      const statements = await store.destroy(one);
      const [first, second] = statements;
      if (first === undefined || second === undefined) throw new Error('too few statements');
      const refused = { code: 'KEYS_STATEMENT_UNVERIFIED' };
      const changed = { ...first, body: first.body.replace(one.objectId, aName().objectId) };
      const swapped = { ...first, publicKey: second.publicKey };
      const publicKeys = store.replicas.map(({ publicKey }) => publicKey);
      for (const forged of [changed, swapped, { ...first, signature: second.signature }]) {
        expect(() => verifyStatement(forged, publicKeys)).toThrow(expect.objectContaining(refused));
      }
      expect(() => verifyStatement(first, [second.publicKey])).toThrow(
        expect.objectContaining(refused),
      );
    });
  });
}
