// SPDX-License-Identifier: Apache-2.0
// Goal: every provider of customer keys keeps the port's promises, also while it is slow, hanging,
// throttled, taken away or lying. Method: the same cases on every provider; each brings its own faults,
// made at the provider itself and not in the adapter.
import type { KeyObject } from 'node:crypto';
import {
  createUuidV7,
  type KeyId,
  parseCellId,
  parseKeyId,
  parseTenantId,
} from '@bailiwick/kernel';
import { type CustomerKeyProvider, createKey, type WrapContext } from '@bailiwick/keys';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createFakeClock } from '../fake-clock.ts';
import { createSeededRandom } from '../seeded-random.ts';

/** What a test can do to a provider from its other side. A provider that has no such thing leaves it out. */
export interface ProviderFaults {
  /** Makes a key as its owner would, when `ensureKey` is not the one to. */
  makeKey?(keyId: KeyId): Promise<void>;
  disable(keyId: KeyId): Promise<void>;
  enable(keyId: KeyId): Promise<void>;
  destroy(keyId: KeyId): Promise<void>;
  rotate?(keyId: KeyId): Promise<void>;
  /** Puts another key under the same name: what was wrapped before must not open. */
  swap?(keyId: KeyId): Promise<void>;
  /** Answers come later, but within the deadline. */
  slow?(): Promise<void>;
  /** Questions are taken and not answered. */
  hang?(): Promise<void>;
  /** Questions are refused because there are too many. */
  throttle?(): Promise<void>;
  /** The provider cannot be reached. */
  takeAway?(): Promise<void>;
  /** Answers are well-formed and wrong: another key comes back than was wrapped. */
  lie?(): Promise<void>;
  /** Answers are not what the protocol has. */
  babble?(): Promise<void>;
  /** Ends all of the above. */
  recover?(): Promise<void>;
}

export interface OpenedProvider {
  readonly provider: CustomerKeyProvider;
  readonly faults: ProviderFaults;
  /** The deadline of a question, as configured. */
  readonly timeoutMs: number;
  close(): Promise<void>;
}

export interface ProviderSuiteOptions {
  readonly open: () => Promise<OpenedProvider>;
  /** Faults that this provider has none of, and why. */
  readonly without?: Partial<Record<keyof ProviderFaults, string>>;
  /** Why the suite cannot run here: it is skipped, loudly, and fails with CI=true. */
  readonly problem?: string | undefined;
}

const ports = { clock: createFakeClock(), random: createSeededRandom(Date.now() & 0xffff) };
const aKeyId = (): KeyId => parseKeyId(createUuidV7(ports));

/** A context of a tenant key under this customer key. */
export function aWrapContext(under: KeyId, changes: Partial<WrapContext> = {}): WrapContext {
  const tenantId = parseTenantId('0198c0de-0000-7000-8000-000000000001');
  return {
    kind: 'tenant-key',
    cellId: parseCellId('eu-de/main'),
    tenantId,
    keyId: parseKeyId('0198c0de-0000-7000-8000-0000000000aa'),
    version: 1,
    owner: tenantId,
    under,
    underVersion: 1,
    ...changes,
  };
}

const toHex = (key: KeyObject): string => key.export().toString('hex');
/** Slack of timers on a busy machine. */
const SLACK_MS = 1500;

/** Holds a provider to the port's promises. */
export function describeCustomerKeyProvider(name: string, options: ProviderSuiteOptions): void {
  const { open, without = {}, problem } = options;
  if (problem !== undefined) {
    const mustRun = process.env['CI'] === 'true';
    process.stderr.write(`bailiwick: warning: suite of ${name} is skipped: ${problem}\n`);
    const test = mustRun ? it : it.skip;
    test(`customer key provider: ${name} can run here`, () => expect(problem).toBeUndefined());
    return;
  }
  describe(`customer key provider: ${name}`, () => {
    // One provider for all cases, and a key of its own for each.
    let opened: OpenedProvider | undefined;
    const openOne = async (): Promise<OpenedProvider & { readonly keyId: KeyId }> => {
      if (opened === undefined) throw new Error('no provider');
      const keyId = aKeyId();
      await opened.faults.makeKey?.(keyId);
      await opened.provider.ensureKey(keyId);
      return { ...opened, keyId };
    };
    beforeAll(async () => {
      opened = await open();
    });
    afterEach(() => opened?.faults.recover?.());
    afterAll(() => opened?.close());
    // What a provider has none of is left out and named below; it is not a skip.
    const leaveOut = (_name: string, _work: () => Promise<void>): void => undefined;
    const itHas = (
      fault: keyof ProviderFaults,
    ): ((name: string, work: () => Promise<void>) => void) =>
      without[fault] === undefined ? it : leaveOut;
    const must = (fault: keyof ProviderFaults): ((keyId: KeyId) => Promise<void>) => {
      const work = opened?.faults[fault];
      if (work === undefined) throw new Error(`provider ${name} brings no \`${fault}\``);
      return work;
    };

    it('gives back the key that was wrapped, time and again', async () => {
      const { provider, keyId } = await openOne();
      expect(await provider.findStatus(keyId)).toBe('enabled');
      const context = aWrapContext(keyId);
      const key = createKey();
      const wraps = [
        await provider.wrap(keyId, key, context),
        await provider.wrap(keyId, key, context),
      ];
      for (const wrap of wraps) {
        expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
        expect(wrap.includes(key.export())).toBe(false);
        expect(wrap.length).toBeLessThanOrEqual(4096);
      }
      expect(wraps[0]?.equals(wraps[1] ?? Buffer.alloc(0))).toBe(false);
    });

    it('finds that a key is there already and leaves it as it is', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wrap = await provider.wrap(keyId, key, context);
      await provider.ensureKey(keyId);
      expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
    });

    it('serves many questions at once', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const keys = Array.from({ length: 24 }, () => createKey());
      const wraps = await Promise.all(keys.map((key) => provider.wrap(keyId, key, context)));
      const again = await Promise.all(wraps.map((wrap) => provider.unwrap(keyId, wrap, context)));
      expect(again.map(toHex)).toEqual(keys.map(toHex));
    });

    describe('binds a wrap to its context', () => {
      const other = '0198c0de-0000-7000-8000-0000000000bb';
      const changes: Readonly<Record<string, Partial<WrapContext>>> = {
        kind: { kind: 'collection-key' },
        cell: { cellId: parseCellId('uk-lon/main') },
        tenant: { tenantId: parseTenantId(other) },
        key: { keyId: parseKeyId(other) },
        version: { version: 2 },
        owner: { owner: 'somebody-else' },
        under: { under: parseKeyId(other) },
        'version of the key outside': { underVersion: 2 },
      };
      it.each(Object.entries(changes))('%s', async (_what, change) => {
        const { provider, keyId } = await openOne();
        const wrap = await provider.wrap(keyId, createKey(), aWrapContext(keyId));
        await expect(
          provider.unwrap(keyId, wrap, aWrapContext(keyId, change)),
        ).rejects.toMatchObject({ code: 'KEYS_KEY_UNREADABLE' });
      });
    });

    it('does not open a wrap under another key', async () => {
      const { provider, faults, keyId } = await openOne();
      const otherId = aKeyId();
      await faults.makeKey?.(otherId);
      await provider.ensureKey(otherId);
      const context = aWrapContext(keyId);
      const wrap = await provider.wrap(keyId, createKey(), context);
      await expect(provider.unwrap(otherId, wrap, context)).rejects.toMatchObject({
        code: 'KEYS_KEY_UNREADABLE',
      });
    });

    it('does not open a wrap that was changed, cut or lengthened', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const wrap = await provider.wrap(keyId, createKey(), context);
      const step = Math.max(1, Math.floor(wrap.length / 24));
      const broken: Buffer[] = [
        Buffer.alloc(0),
        wrap.subarray(0, 1),
        wrap.subarray(0, wrap.length - 1),
        Buffer.concat([wrap, Buffer.from([0])]),
        Buffer.alloc(wrap.length),
        Buffer.alloc(5000, 7),
      ];
      for (let at = 0; at < wrap.length; at += step) {
        const changed = Buffer.from(wrap);
        changed.writeUInt8((changed[at] ?? 0) ^ 0x01, at);
        broken.push(changed);
      }
      const last = Buffer.from(wrap);
      last.writeUInt8((last.at(-1) ?? 0) ^ 0x80, last.length - 1);
      broken.push(last);
      for (const bytes of broken) {
        await expect(
          provider.unwrap(keyId, bytes, context),
          bytes.toString('hex').slice(0, 80),
        ).rejects.toMatchObject({ code: 'KEYS_KEY_UNREADABLE' });
      }
    });

    it('knows no key that nobody made', async () => {
      const { provider, keyId } = await openOne();
      const nobodys = aKeyId();
      const context = aWrapContext(nobodys);
      expect(await provider.findStatus(nobodys)).toBe('absent');
      const unknown = { code: 'KEYS_CUSTOMER_KEY_UNKNOWN' };
      await expect(provider.wrap(nobodys, createKey(), context)).rejects.toMatchObject(unknown);
      const wrap = await provider.wrap(keyId, createKey(), context);
      await expect(provider.unwrap(nobodys, wrap, context)).rejects.toMatchObject(unknown);
    });

    it('does nothing with a disabled key and all with an enabled one', async () => {
      const { provider, faults, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wrap = await provider.wrap(keyId, key, context);
      await faults.disable(keyId);
      const disabled = { code: 'KEYS_CUSTOMER_KEY_DISABLED' };
      expect(await provider.findStatus(keyId)).toBe('disabled');
      await expect(provider.unwrap(keyId, wrap, context)).rejects.toMatchObject(disabled);
      await expect(provider.wrap(keyId, key, context)).rejects.toMatchObject(disabled);
      await provider.ensureKey(keyId);
      expect(await provider.findStatus(keyId)).toBe('disabled');
      await faults.enable(keyId);
      expect(await provider.findStatus(keyId)).toBe('enabled');
      expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
    });

    it('opens nothing of a destroyed key', async () => {
      const { provider, faults, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const wrap = await provider.wrap(keyId, createKey(), context);
      await provider.unwrap(keyId, wrap, context);
      await faults.destroy(keyId);
      expect(['absent', 'disabled']).toContain(await provider.findStatus(keyId));
      const codes = /^KEYS_CUSTOMER_KEY_(?:UNKNOWN|DISABLED)$/;
      await expect(provider.unwrap(keyId, wrap, context)).rejects.toMatchObject({
        code: expect.stringMatching(codes),
      });
      await expect(provider.wrap(keyId, createKey(), context)).rejects.toMatchObject({
        code: expect.stringMatching(codes),
      });
    });

    itHas('rotate')('opens old wraps and makes new ones after a rotation', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wraps = [await provider.wrap(keyId, key, context)];
      for (let round = 0; round < 2; round += 1) {
        await must('rotate')(keyId);
        wraps.push(await provider.wrap(keyId, key, context));
      }
      for (const wrap of wraps) {
        expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
      }
    });

    itHas('swap')('opens nothing with another key under the same name', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const wrap = await provider.wrap(keyId, createKey(), context);
      await must('swap')(keyId);
      await expect(provider.unwrap(keyId, wrap, context)).rejects.toMatchObject({
        code: 'KEYS_KEY_UNREADABLE',
      });
    });

    itHas('slow')('waits for a slow provider', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wrap = await provider.wrap(keyId, key, context);
      await must('slow')(keyId);
      expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
    });

    const outages = [
      ['hang', /^timeout$/],
      ['throttle', /^(?:throttled|busy)$/],
      ['takeAway', /^(?:unreachable|timeout)$/],
      // Some SDKs say of an answer they cannot read that there was none.
      ['babble', /^(?:failed|unreachable)$/],
    ] as const;
    for (const [fault, reason] of outages) {
      itHas(fault)(`says within its deadline that it cannot be had: ${fault}`, async () => {
        const { provider, keyId, timeoutMs } = await openOne();
        const context = aWrapContext(keyId);
        const key = createKey();
        const wrap = await provider.wrap(keyId, key, context);
        await must(fault)(keyId);
        const startedAtMs = performance.now();
        const outage = {
          code: 'KEYS_PROVIDER_UNAVAILABLE',
          details: { reason: expect.any(String) },
        };
        const failed = await Promise.allSettled([
          provider.unwrap(keyId, wrap, context),
          provider.wrap(keyId, key, context),
          provider.findStatus(keyId),
        ]);
        expect(performance.now() - startedAtMs).toBeLessThan(timeoutMs + SLACK_MS);
        for (const result of failed) {
          expect(result).toMatchObject({ status: 'rejected', reason: outage });
          const details: unknown = result.status === 'rejected' ? result.reason.details.reason : '';
          expect(details).toMatch(reason);
        }
        await must('recover')(keyId);
        const deadline = performance.now() + 15_000;
        for (;;) {
          try {
            expect(toHex(await provider.unwrap(keyId, wrap, context))).toBe(toHex(key));
            break;
          } catch (error) {
            if (performance.now() > deadline) throw error;
            await new Promise((resolve) => setImmediate(resolve));
          }
        }
      });
    }

    itHas('lie')('believes no answer that is not the key that was wrapped', async () => {
      const { provider, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wrap = await provider.wrap(keyId, key, context);
      await must('lie')(keyId);
      await expect(provider.unwrap(keyId, wrap, context)).rejects.toMatchObject({
        code: expect.stringMatching(/^KEYS_(?:KEY_UNREADABLE|PROVIDER_UNAVAILABLE)$/),
      });
      // A wrap that its provider cannot open again is not given out.
      await expect(provider.wrap(keyId, key, context)).rejects.toMatchObject({
        code: 'KEYS_PROVIDER_UNAVAILABLE',
      });
    });

    it('tells no key material in its failures', async () => {
      const { provider, faults, keyId } = await openOne();
      const context = aWrapContext(keyId);
      const key = createKey();
      const wrap = await provider.wrap(keyId, key, context);
      await faults.disable(keyId);
      const failures = await Promise.allSettled([
        provider.wrap(keyId, key, context),
        provider.unwrap(keyId, wrap, context),
        provider.unwrap(keyId, wrap.subarray(3), context),
      ]);
      for (const failure of failures) {
        expect(failure.status).toBe('rejected');
        const told = failure.status === 'rejected' ? inspectAll(failure.reason) : '';
        expect(told).not.toContain(toHex(key));
        expect(told).not.toContain(key.export().toString('base64'));
        expect(told).not.toContain(key.export().toString('base64url'));
      }
    });

    if (Object.keys(without).length > 0) {
      it.each(Object.entries(without))(`has no fault \`%s\`, because %s`, (fault, why) => {
        expect(why.length, fault).toBeGreaterThan(10);
      });
    }
  });
}

/** Everything that an error can tell, its causes and hidden properties included. */
function inspectAll(error: unknown, depth = 0): string {
  if (depth > 5 || typeof error !== 'object' || error === null) return String(error);
  return Reflect.ownKeys(error)
    .map((property) => `${String(property)}=${inspectAll(Reflect.get(error, property), depth + 1)}`)
    .join(' ');
}
