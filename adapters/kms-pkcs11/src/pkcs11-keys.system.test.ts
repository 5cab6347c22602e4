// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises on a real PKCS#11 library (SoftHSM), with faults made at the token and at
// the process that speaks to it. Method: the port's suite; the owner's acts come from a second process.
import { chmodSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { unavailable } from '@bailiwick/customer-keys';
import { createUuidV7, parseKeyId } from '@bailiwick/kernel';
import { createKey } from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import {
  createSoftToken,
  findSoftHsmUtility,
  type SoftToken,
} from '@bailiwick/testkit/servers/soft-token';
import {
  aWrapContext,
  describeCustomerKeyProvider,
  type OpenedProvider,
} from '@bailiwick/testkit/suites/customer-key-provider';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createPkcs11Provider,
  findPkcs11Problem,
  findSoftHsmLibrary,
  openPkcs11Keys,
  type Pkcs11Keys,
} from './index.ts';

const TIMEOUT_MS = 3000;
const IN_FLIGHT_COUNT_MAX = 24;
const library = findSoftHsmLibrary() ?? '';
const problem =
  findPkcs11Problem() ??
  (library === '' || findSoftHsmUtility() === undefined ? 'softhsm2 is not installed' : undefined);

const openKeys = (token: SoftToken, timeoutMs = TIMEOUT_MS): Pkcs11Keys =>
  openPkcs11Keys({ library, ...token, timeoutMs });

function signal(keys: Pkcs11Keys, name: NodeJS.Signals): void {
  const { pid } = keys;
  if (pid === undefined) throw unavailable('absent');
  process.kill(pid, name);
}

async function open(): Promise<OpenedProvider> {
  const token = createSoftToken();
  const keys = openKeys(token);
  const owner = openKeys(token);
  const provider = createPkcs11Provider(keys, {
    createsKeys: true,
    timeoutMs: TIMEOUT_MS,
    inFlightCountMax: IN_FLIGHT_COUNT_MAX,
  });
  let resume: NodeJS.Timeout | undefined;
  const background: Promise<unknown>[] = [];
  return {
    provider,
    timeoutMs: TIMEOUT_MS,
    faults: {
      disable: (keyId) => owner.permitUses(keyId, { encrypt: false, decrypt: false }),
      enable: (keyId) => owner.permitUses(keyId, { encrypt: true, decrypt: true }),
      destroy: (keyId) => owner.destroyKey(keyId),
      rotate: (keyId) => owner.rotateKey(keyId),
      async swap(keyId) {
        await owner.destroyKey(keyId);
        await owner.createKey(keyId);
      },
      async slow() {
        signal(keys, 'SIGSTOP');
        const { pid = 0 } = keys;
        resume = setTimeout(() => process.kill(pid, 'SIGCONT'), 200);
      },
      async hang() {
        signal(keys, 'SIGSTOP');
      },
      async throttle() {
        signal(keys, 'SIGSTOP');
        const keyId = parseKeyId('0198c0de-0000-7000-8000-0000000000cc');
        for (let count = 0; count < IN_FLIGHT_COUNT_MAX; count += 1) {
          background.push(provider.findStatus(keyId).catch(() => undefined));
        }
      },
      async takeAway() {
        token.takeAway();
      },
      async recover() {
        clearTimeout(resume);
        if (keys.pid !== undefined) signal(keys, 'SIGCONT');
        token.putBack();
        await Promise.all(background);
      },
    },
    async close() {
      keys.close();
      owner.close();
      token.remove();
    },
  };
}

const CANNOT = 'SoftHSM answers as it is: wrong answers are covered by swap and by the bound keys';
describeCustomerKeyProvider('pkcs11 (SoftHSM)', {
  open,
  problem,
  without: { lie: CANNOT, babble: CANNOT, makeKey: 'the provider makes keys itself' },
});

describe.skipIf(problem !== undefined)('keys of a token', () => {
  let token: SoftToken | undefined;
  const opened: Pkcs11Keys[] = [];
  const openOne = (
    timeoutMs?: number,
  ): { readonly keys: Pkcs11Keys; readonly token: SoftToken } => {
    token ??= createSoftToken();
    const keys = openKeys(token, timeoutMs);
    opened.push(keys);
    return { keys, token };
  };
  const ports = { clock: createFakeClock(), random: createSeededRandom(11) };
  const question = { signal: AbortSignal.timeout(60_000) };
  const name = createUuidV7(ports);
  afterEach(() => {
    for (const keys of opened.splice(0)) keys.close();
    token?.remove();
    token = undefined;
  });

  it('are made once and never leave it', async () => {
    const { keys } = openOne();
    await keys.createKey(name);
    await keys.createKey(name);
    expect(await keys.listVersions(name)).toHaveLength(1);
    expect(await keys.listKeys()).toEqual([name]);
  });

  it('encrypt with the newest version and say which; older ones decrypt only', async () => {
    const { keys } = openOne();
    await keys.createKey(name);
    const first = await keys.encrypt(name, Buffer.from('one'), Buffer.alloc(0), question);
    await keys.rotateKey(name);
    const second = await keys.encrypt(name, Buffer.from('two'), Buffer.alloc(0), question);
    expect(first.version.equals(second.version)).toBe(false);
    const versions = await keys.listVersions(name);
    expect(versions.map(({ canEncrypt }) => canEncrypt)).toEqual([true, false]);
    expect(versions.map(({ canDecrypt }) => canDecrypt)).toEqual([true, true]);
    const opened = await keys.decrypt(name, first, Buffer.alloc(0), question);
    expect(opened.toString()).toBe('one');
    // SECURITY: the version is authenticated: it cannot be exchanged.
    await expect(
      keys.decrypt(name, { ...first, version: second.version }, Buffer.alloc(0), question),
    ).rejects.toMatchObject({ code: 'KEYS_KEY_UNREADABLE' });
  });

  it('take 4,300 bytes with 8,192 of additional data, as XKS asks', async () => {
    const { keys } = openOne();
    await keys.createKey(name);
    const plaintext = Buffer.alloc(4300, 7);
    const data = Buffer.alloc(8192, 9);
    const sealed = await keys.encrypt(name, plaintext, data, question);
    expect((await keys.decrypt(name, sealed, data, question)).equals(plaintext)).toBe(true);
    await expect(keys.decrypt(name, sealed, data.subarray(1), question)).rejects.toMatchObject({
      code: 'KEYS_KEY_UNREADABLE',
    });
  });

  it('come back after the process that holds the session was killed', async () => {
    const { keys } = openOne();
    await keys.createKey(name);
    const sealed = await keys.encrypt(name, Buffer.from('x'), Buffer.alloc(0), question);
    const { pid } = keys;
    signal(keys, 'SIGKILL');
    const deadline = performance.now() + 15_000;
    for (;;) {
      try {
        await keys.decrypt(name, sealed, Buffer.alloc(0), question);
        break;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    expect(keys.pid).not.toBe(pid);
  });

  it('kill a process that hangs and leave none behind', async () => {
    const { keys } = openOne(400);
    const provider = createPkcs11Provider(keys, { createsKeys: true, timeoutMs: 20_000 });
    await provider.ensureKey(parseKeyId(name));
    const { pid = 0 } = keys;
    signal(keys, 'SIGSTOP');
    await expect(keys.listKeys()).rejects.toMatchObject({ details: { reason: 'timeout' } });
    const deadline = performance.now() + 10_000;
    for (;;) {
      try {
        process.kill(pid, 0);
      } catch {
        break;
      }
      expect(performance.now()).toBeLessThan(deadline);
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('try a refused PIN once and not again until its file changes', async () => {
    const { keys, token: held } = openOne();
    const pin = readFileSync(held.pinFile, 'utf8');
    writeFileSync(held.pinFile, '000000\n');
    const refused = { code: 'KEYS_PROVIDER_MISCONFIGURED', message: /refused the PIN/ };
    await expect(keys.createKey(name)).rejects.toMatchObject({ code: refused.code });
    const { pid } = keys;
    await expect(keys.createKey(name)).rejects.toThrow(refused.message);
    expect(keys.pid).toBe(pid);
    writeFileSync(held.pinFile, pin);
    utimesSync(held.pinFile, new Date(), new Date(Date.now() + 5000));
    await keys.createKey(name);
    expect(await keys.listKeys()).toEqual([name]);
  });

  it('are refused when others may read the PIN', async () => {
    const { keys, token: held } = openOne();
    chmodSync(held.pinFile, 0o644);
    await expect(keys.createKey(name)).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_MISCONFIGURED',
    });
    expect(keys.pid).toBeUndefined();
  });

  it('say what is wrong with the library or the token', async () => {
    const { token: held } = openOne();
    const noLibrary = openPkcs11Keys({ ...held, library: '/nonexistent.so', timeoutMs: 5000 });
    const noToken = openPkcs11Keys({ ...held, library, tokenLabel: 'nobody', timeoutMs: 5000 });
    opened.push(noLibrary, noToken);
    await expect(noLibrary.probe()).rejects.toMatchObject({ code: 'KEYS_PROVIDER_MISCONFIGURED' });
    await expect(noToken.probe()).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
      details: { reason: 'unreachable' },
    });
  });

  it('refuse all after they were closed', async () => {
    const { keys } = openOne();
    const provider = createPkcs11Provider(keys, { createsKeys: true });
    const keyId = parseKeyId(name);
    await provider.ensureKey(keyId);
    keys.close();
    await expect(provider.wrap(keyId, createKey(), aWrapContext(keyId))).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
    });
  });
});
