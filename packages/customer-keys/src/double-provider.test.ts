// SPDX-License-Identifier: Apache-2.0
// Goal: each of two keys is needed, and both are committed to. Method: two providers in memory over the
// real wraps; every part taken away, exchanged and flipped.
import { randomUUID } from 'node:crypto';
import { type KeyId, parseCellId, parseKeyId, parseTenantId } from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  createKey,
  KeysError,
  unwrapKey,
  type WrapContext,
  wrapKey,
} from '@bailiwick/keys';
import { beforeEach, describe, expect, it } from 'vitest';
import { createDoubleProvider } from './double-provider.ts';

const newId = (): KeyId => parseKeyId(randomUUID());
const unreadable = { code: 'KEYS_KEY_UNREADABLE' };

interface MemoryProvider extends CustomerKeyProvider {
  status: 'enabled' | 'disabled' | 'absent';
}

function createMemory(kind: string): MemoryProvider {
  const keys = new Map<KeyId, ReturnType<typeof createKey>>();
  const keyOf = (keyId: KeyId): ReturnType<typeof createKey> => {
    if (provider.status === 'disabled') throw new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'no');
    const key = keys.get(keyId);
    if (key === undefined) throw new KeysError('KEYS_CUSTOMER_KEY_UNKNOWN', 'no such key');
    return key;
  };
  const provider: MemoryProvider = {
    kind,
    status: 'enabled',
    async ensureKey(keyId) {
      if (!keys.has(keyId)) keys.set(keyId, createKey());
    },
    findStatus: async (keyId) => (keys.has(keyId) ? provider.status : 'absent'),
    wrap: async (keyId, key, context) => wrapKey(keyOf(keyId), key, context),
    unwrap: async (keyId, wrap, context) => unwrapKey(keyOf(keyId), wrap, context),
    async destroyKey(keyId) {
      keys.delete(keyId);
    },
  };
  return provider;
}

const keyId = newId();
const context: WrapContext = {
  kind: 'tenant-key',
  cellId: parseCellId('eu-de/main'),
  tenantId: parseTenantId(randomUUID()),
  keyId: newId(),
  version: 1,
  owner: 'owner',
  under: keyId,
  underVersion: 1,
};
const key = createKey();
let place: MemoryProvider;
let customer: MemoryProvider;
let both: CustomerKeyProvider;
let wrap: Buffer;

beforeEach(async () => {
  place = createMemory('file');
  customer = createMemory('xks');
  both = createDoubleProvider({ place, customer });
  await both.ensureKey(keyId);
  wrap = await both.wrap(keyId, key, context);
});

describe('a double key', () => {
  it('opens with both', async () => {
    expect(both.kind).toBe('xks+place');
    expect((await both.unwrap(keyId, wrap, context)).equals(key)).toBe(true);
    expect(await both.findStatus(keyId)).toBe('enabled');
  });

  it.each(['place', 'customer'] as const)('does not open without the %s', async (side) => {
    const one = side === 'place' ? place : customer;
    one.status = 'disabled';
    const disabled = { code: 'KEYS_CUSTOMER_KEY_DISABLED' };
    await expect(both.unwrap(keyId, wrap, context)).rejects.toMatchObject(disabled);
    await expect(both.wrap(keyId, key, context)).rejects.toMatchObject(disabled);
    expect(await both.findStatus(keyId)).toBe('disabled');
    one.status = 'enabled';
    await one.destroyKey?.(keyId);
    const unknown = { code: 'KEYS_CUSTOMER_KEY_UNKNOWN' };
    await expect(both.unwrap(keyId, wrap, context)).rejects.toMatchObject(unknown);
    expect(await both.findStatus(keyId)).toBe('absent');
  });

  it('does not open for either side alone, with all that it was given', async () => {
    await expect(place.unwrap(keyId, wrap, context)).rejects.toMatchObject(unreadable);
    await expect(customer.unwrap(keyId, wrap, context)).rejects.toMatchObject(unreadable);
  });

  it.each(['place', 'customer'] as const)(
    'does not open when the %s has another key',
    async (side) => {
      const other = createMemory('other');
      await other.ensureKey(keyId);
      const swapped = createDoubleProvider({ place, customer, [side]: other });
      await expect(swapped.unwrap(keyId, wrap, context)).rejects.toMatchObject(unreadable);
    },
  );

  it('does not take one share for the other, nor shares of two wraps', async () => {
    const crossed = createDoubleProvider({ place: customer, customer: place });
    await expect(crossed.unwrap(keyId, wrap, context)).rejects.toMatchObject(unreadable);
    const again = await both.wrap(keyId, key, context);
    const first = 1 + 2 + wrap.readUInt16BE(1);
    const mixed = Buffer.concat([wrap.subarray(0, first), again.subarray(first)]);
    await expect(both.unwrap(keyId, mixed, context)).rejects.toMatchObject(unreadable);
  });

  it('is bound to its context', async () => {
    const moved = { ...context, tenantId: parseTenantId(randomUUID()) };
    await expect(both.unwrap(keyId, wrap, moved)).rejects.toMatchObject(unreadable);
  });

  it('refuses every flipped byte and every shorter or longer wrap', async () => {
    for (let at = 0; at < wrap.length; at += 1) {
      const flipped = Buffer.from(wrap);
      flipped[at] = (flipped[at] ?? 0) ^ 1;
      await expect(both.unwrap(keyId, flipped, context)).rejects.toMatchObject(unreadable);
      await expect(both.unwrap(keyId, wrap.subarray(0, at), context)).rejects.toMatchObject(
        unreadable,
      );
    }
    const longer = Buffer.concat([wrap, Buffer.alloc(1)]);
    await expect(both.unwrap(keyId, longer, context)).rejects.toMatchObject(unreadable);
  });
});
