// SPDX-License-Identifier: Apache-2.0
// Goal: what no adapter can forget: binding, framing, deadlines, bounds, codes. Method: adapters that
// misbehave in each way a provider can.
import { createUuidV7, parseCellId, parseKeyId, parseTenantId } from '@bailiwick/kernel';
import { createKey, encodeWrapContext, KeysError, type WrapContext } from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import {
  createProvider,
  disabledKey,
  type ExternalKeys,
  encodeAeadCiphertext,
  parseAeadCiphertext,
  takeBoundKey,
  toAeadData,
  toBoundKey,
  unavailable,
  withDeadline,
} from './index.ts';

const ports = { clock: createFakeClock(), random: createSeededRandom(5) };
const under = parseKeyId(createUuidV7(ports));
const context: WrapContext = {
  kind: 'tenant-key',
  cellId: parseCellId('eu-de/main'),
  tenantId: parseTenantId(createUuidV7(ports)),
  keyId: parseKeyId(createUuidV7(ports)),
  version: 1,
  owner: 'tenant',
  under,
  underVersion: 1,
};

/** Encrypts nothing: what it gives back is what it was given, changed by `twist`. */
const open = (changes: Partial<ExternalKeys> = {}): ExternalKeys => ({
  kind: 'test',
  findStatus: async () => 'enabled',
  encrypt: async (_name, plaintext) => Buffer.from(plaintext),
  decrypt: async (_name, ciphertext) => Buffer.from(ciphertext),
  ...changes,
});
const never = (): Promise<never> => new Promise(() => undefined);

describe('bound keys', () => {
  it('open in their context, once, and leave nothing behind', () => {
    const key = createKey();
    const bytes = toBoundKey(key, encodeWrapContext(context));
    expect(takeBoundKey(bytes, encodeWrapContext(context)).equals(key)).toBe(true);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });

  it('do not open in another context, changed anywhere, or with another length', () => {
    const key = createKey();
    const other = { ...context, version: 2 };
    expect(() =>
      takeBoundKey(toBoundKey(key, encodeWrapContext(context)), encodeWrapContext(other)),
    ).toThrow(/not of this context/);
    for (let at = 0; at < 64; at += 1) {
      const bytes = toBoundKey(key, encodeWrapContext(context));
      bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
      expect(() => takeBoundKey(bytes, encodeWrapContext(context)), String(at)).toThrow(KeysError);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
    for (const size of [0, 32, 63, 65]) {
      expect(() => takeBoundKey(Buffer.alloc(size), encodeWrapContext(context))).toThrow(
        /not a key/,
      );
    }
  });

  it('tell long contexts apart', () => {
    const key = createKey();
    const long = { ...context, owner: 'o'.repeat(3000) };
    const bytes = toBoundKey(key, encodeWrapContext(long));
    expect(() =>
      takeBoundKey(bytes, encodeWrapContext({ ...long, owner: `${'o'.repeat(2999)}p` })),
    ).toThrow(KeysError);
  });
});

describe('providers', () => {
  it('hand the context to the adapter in its one encoding', async () => {
    const seen: Buffer[] = [];
    const keys = open({
      encrypt: async (_name, plaintext, { authenticatedData }) => {
        seen.push(authenticatedData);
        return Buffer.from(plaintext);
      },
    });
    await createProvider(keys).wrap(under, createKey(), context);
    expect(seen).toEqual([encodeWrapContext(context)]);
  });

  it('refuse a wrap of another kind before they ask', async () => {
    const wrap = await createProvider(open({ kind: 'one' })).wrap(under, createKey(), context);
    const asked: string[] = [];
    const keys = open({
      kind: 'two',
      decrypt: async (name) => {
        asked.push(name);
        return Buffer.alloc(64);
      },
    });
    await expect(createProvider(keys).unwrap(under, wrap, context)).rejects.toMatchObject({
      code: 'KEYS_KEY_UNREADABLE',
    });
    expect(asked).toEqual([]);
  });

  it('give out no wrap that does not open again', async () => {
    for (const decrypt of [
      async () => toBoundKey(createKey(), encodeWrapContext(context)),
      async () => Buffer.alloc(64),
      async () => Buffer.alloc(0),
      async () => {
        throw new KeysError('KEYS_KEY_UNREADABLE', 'no');
      },
    ]) {
      await expect(
        createProvider(open({ decrypt })).wrap(under, createKey(), context),
      ).rejects.toMatchObject({ code: 'KEYS_PROVIDER_UNAVAILABLE' });
    }
  });

  it('believe no other key than the one that was wrapped', async () => {
    const wrap = await createProvider(open()).wrap(under, createKey(), context);
    const decrypt = async (): Promise<Buffer> =>
      toBoundKey(createKey(), encodeWrapContext({ ...context, version: 9 }));
    await expect(
      createProvider(open({ decrypt })).unwrap(under, wrap, context),
    ).rejects.toMatchObject({ code: 'KEYS_KEY_UNREADABLE' });
  });

  it('end at the deadline, abort what is under way, and wipe what comes late', async () => {
    let answer: (bytes: Buffer) => void = () => undefined;
    let isAborted = false;
    const keys = open({
      decrypt: (_name, _bytes, { signal }) => {
        signal.addEventListener('abort', () => {
          isAborted = true;
        });
        return new Promise((resolve) => {
          answer = resolve;
        });
      },
    });
    const wrap = await createProvider(open()).wrap(under, createKey(), context);
    const provider = createProvider(keys, { timeoutMs: 20 });
    await expect(provider.unwrap(under, wrap, context)).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
      details: { reason: 'timeout' },
    });
    expect(isAborted).toBe(true);
    const late = toBoundKey(createKey(), encodeWrapContext(context));
    answer(late);
    await new Promise((resolve) => setImmediate(resolve));
    expect(late.every((byte) => byte === 0)).toBe(true);
  });

  it('refuse one question more than they may have under way', async () => {
    const keys = open({ findStatus: never });
    const provider = createProvider(keys, { timeoutMs: 50, inFlightCountMax: 2 });
    const waiting = [provider.findStatus(under), provider.findStatus(under)];
    await expect(provider.findStatus(under)).rejects.toMatchObject({ details: { reason: 'busy' } });
    const ended = await Promise.allSettled(waiting);
    expect(ended.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    // The places are free again.
    await expect(provider.findStatus(under)).rejects.toMatchObject({
      details: { reason: 'timeout' },
    });
  });

  it('pass on codes of the port and nothing else that an adapter throws', async () => {
    const secret = 'request with key material';
    for (const [thrown, code] of [
      [disabledKey(), 'KEYS_CUSTOMER_KEY_DISABLED'],
      [unavailable('throttled'), 'KEYS_PROVIDER_UNAVAILABLE'],
      [new TypeError(secret), 'KEYS_PROVIDER_UNAVAILABLE'],
      [new KeysError('KEYS_FACTS_UNVERIFIED', secret), 'KEYS_PROVIDER_UNAVAILABLE'],
      [secret, 'KEYS_PROVIDER_UNAVAILABLE'],
    ] as const) {
      const keys = open({ findStatus: () => Promise.reject(thrown) });
      const error: unknown = await createProvider(keys)
        .findStatus(under)
        .catch((caught: unknown) => caught);
      expect(error).toMatchObject({ code });
      if (code === 'KEYS_PROVIDER_UNAVAILABLE')
        expect(String(Object.values(Object(error)))).not.toContain(secret);
      expect(error instanceof Error ? error.cause : undefined).toBeUndefined();
    }
  });

  it('make keys only where the adapter can', async () => {
    const absent = open({ findStatus: async () => 'absent' });
    await expect(createProvider(absent).ensureKey(under)).rejects.toMatchObject({
      code: 'KEYS_CUSTOMER_KEY_UNKNOWN',
    });
    const made: string[] = [];
    const making = open({
      findStatus: async () => 'absent',
      ensure: async (name) => {
        made.push(name);
      },
    });
    await createProvider(making, { nameOf: (keyId) => `bailiwick-${keyId}` }).ensureKey(under);
    expect(made).toEqual([`bailiwick-${under}`]);
  });
});

describe('deadlines', () => {
  it('give the value and clear themselves', async () => {
    expect(await withDeadline(1000, async () => 7)).toBe(7);
  });

  it('pass on a failure that comes in time', async () => {
    await expect(withDeadline(1000, () => Promise.reject(new Error('mine')))).rejects.toThrow(
      'mine',
    );
  });
});

describe('AES-GCM ciphertexts', () => {
  const whole = {
    version: Buffer.from('v1'),
    iv: Buffer.alloc(12, 1),
    tag: Buffer.alloc(16, 2),
    ciphertext: Buffer.alloc(64, 3),
  };

  it('are read as they were written', () => {
    expect(parseAeadCiphertext(encodeAeadCiphertext(whole))).toEqual(whole);
  });

  it('are refused when cut short anywhere', () => {
    const bytes = encodeAeadCiphertext(whole);
    const least = bytes.length - whole.ciphertext.length;
    for (let size = 0; size <= least; size += 1) {
      expect(() => parseAeadCiphertext(bytes.subarray(0, size)), String(size)).toThrow(KeysError);
    }
    expect(() => parseAeadCiphertext(Buffer.alloc(200, 0xff))).toThrow(KeysError);
  });

  it('authenticate lengths, so that no byte can pass from one part to the other', () => {
    const data = (one: string, other: string): string =>
      toAeadData(Buffer.from(one), Buffer.from(other)).toString('hex');
    expect(data('ab', 'c')).toBe('00026162' + '0163');
    expect(data('ab', 'c')).not.toBe(data('a', 'bc'));
    expect(data('', 'abc')).not.toBe(data('abc', ''));
  });
});
