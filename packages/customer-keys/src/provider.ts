// SPDX-License-Identifier: Apache-2.0
// The port `CustomerKeyProvider` over any adapter: deadlines, bounds, binding and framing in one place,
// so that no adapter can forget one.
import type { KeyObject } from 'node:crypto';
import { timingSafeEqual } from 'node:crypto';
import { isCoded, type KeyId, parseKeyId } from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  encodeWrapContext,
  KeysError,
  type KeysErrorCode,
  type WrapContext,
  wipe,
} from '@bailiwick/keys';
import { takeBoundKey, toBoundKey } from './bound-key.ts';
import { unavailable, withDeadline } from './deadline.ts';
import {
  CUSTOMER_WRAP_SIZE_BYTES_MAX,
  IN_FLIGHT_COUNT_MAX,
  PROVIDER_TIMEOUT_MS,
} from './limits.ts';
import type { ContextQuestion, ExternalKeys, Occasion } from './ports.ts';

export interface ProviderOptions {
  /** For one question, retries included. */
  readonly timeoutMs?: number;
  readonly inFlightCountMax?: number;
  /** What the provider calls a customer key; its id unless told otherwise. */
  readonly nameOf?: (customerKeyId: KeyId) => string;
}

/** The port, with the occasion of each use where it is known. */
export interface OccasionedProvider extends CustomerKeyProvider {
  wrap(
    customerKeyId: KeyId,
    key: KeyObject,
    context: WrapContext,
    occasion?: Occasion,
  ): Promise<Buffer>;
  unwrap(
    customerKeyId: KeyId,
    wrap: Uint8Array,
    context: WrapContext,
    occasion?: Occasion,
  ): Promise<KeyObject>;
}

const FRAME_VERSION = 0x01;
const CODES: readonly KeysErrorCode[] = [
  'KEYS_CUSTOMER_KEY_UNKNOWN',
  'KEYS_CUSTOMER_KEY_DISABLED',
  'KEYS_PROVIDER_UNAVAILABLE',
  'KEYS_PROVIDER_MISCONFIGURED',
  'KEYS_KEY_UNREADABLE',
];

const isOurs = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && CODES.some((code) => code === error.code);

/** The failure of a key that its provider does not have. */
export function unknownKey(cause?: unknown): KeysError {
  return new KeysError('KEYS_CUSTOMER_KEY_UNKNOWN', 'provider has no such customer key', { cause });
}

/** The failure of a key that may not be used. */
export function disabledKey(cause?: unknown): KeysError {
  return new KeysError('KEYS_CUSTOMER_KEY_DISABLED', 'customer key is disabled at its provider', {
    cause,
  });
}

/** The failure of a wrap that does not open. */
export function unreadableKey(cause?: unknown): KeysError {
  return new KeysError('KEYS_KEY_UNREADABLE', 'wrap does not open in this context', { cause });
}

function frame(kind: string, ciphertext: Buffer): Buffer {
  const name = Buffer.from(kind, 'latin1');
  const wrap = Buffer.concat([Buffer.from([FRAME_VERSION, name.length]), name, ciphertext]);
  if (wrap.length > CUSTOMER_WRAP_SIZE_BYTES_MAX) throw unavailable('failed');
  return wrap;
}

function unframe(kind: string, wrap: Uint8Array): Buffer {
  const bytes = Buffer.from(wrap);
  const name = Buffer.from(kind, 'latin1');
  const head = Buffer.concat([Buffer.from([FRAME_VERSION, name.length]), name]);
  const isOfKind =
    bytes.length <= CUSTOMER_WRAP_SIZE_BYTES_MAX && bytes.subarray(0, head.length).equals(head);
  if (!isOfKind) {
    throw new KeysError(
      'KEYS_KEY_UNREADABLE',
      `wrap was not made by a provider of kind \`${kind}\``,
    );
  }
  return bytes.subarray(head.length);
}

/**
 * Makes the port of an adapter's keys. All failures have a code of the port; all questions end within
 * `timeoutMs`; at most `inFlightCountMax` are under way and one more is refused at once.
 */
export function createProvider(
  keys: ExternalKeys,
  options: ProviderOptions = {},
): OccasionedProvider {
  const {
    timeoutMs = PROVIDER_TIMEOUT_MS,
    inFlightCountMax = IN_FLIGHT_COUNT_MAX,
    nameOf = (keyId: KeyId) => parseKeyId(keyId),
  } = options;
  let inFlightCount = 0;
  const ask = async <T>(
    work: (signal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> => {
    if (inFlightCount >= inFlightCountMax) throw unavailable('busy');
    inFlightCount += 1;
    try {
      return await withDeadline(timeoutMs, work, discard);
    } catch (cause) {
      if (isOurs(cause)) throw cause;
      // SECURITY: what a client library throws may hold requests with key material; it is not passed on.
      throw unavailable('failed');
    } finally {
      inFlightCount -= 1;
    }
  };
  const about = (
    signal: AbortSignal,
    context: WrapContext,
    authenticatedData: Buffer,
    occasion: Occasion | undefined,
  ): ContextQuestion => ({
    signal,
    context,
    occasion,
    authenticatedData,
  });
  return {
    kind: keys.kind,
    ensureKey: (keyId) =>
      ask(async (signal) => {
        const name = nameOf(keyId);
        const status = await keys.findStatus(name, { signal });
        if (status !== 'absent') return;
        if (keys.ensure === undefined) throw unknownKey();
        await keys.ensure(name, { signal });
      }),
    findStatus: (keyId) => ask((signal) => keys.findStatus(nameOf(keyId), { signal })),
    async wrap(keyId, key, context, occasion): Promise<Buffer> {
      const encoded = encodeWrapContext(context);
      const plaintext = toBoundKey(key, encoded);
      try {
        return await ask(async (signal) => {
          const question = about(signal, context, encoded, occasion);
          const ciphertext = await keys.encrypt(nameOf(keyId), plaintext, question);
          // INVARIANT: a wrap is given out only after its provider has opened it again: what it could not
          // open would be lost with everything under it.
          const again = await keys.decrypt(nameOf(keyId), ciphertext, question);
          const isSame = again.length === plaintext.length && timingSafeEqual(again, plaintext);
          wipe(again);
          if (!isSame) throw unavailable('failed');
          return frame(keys.kind, ciphertext);
        });
      } catch (error) {
        if (isCoded(error, 'KEYS_KEY_UNREADABLE')) throw unavailable('failed', { cause: error });
        throw error;
      } finally {
        wipe(plaintext);
      }
    },
    async unwrap(keyId, wrap, context, occasion): Promise<KeyObject> {
      const ciphertext = unframe(keys.kind, wrap);
      const encoded = encodeWrapContext(context);
      const plaintext = await ask(
        (signal) =>
          keys.decrypt(nameOf(keyId), ciphertext, about(signal, context, encoded, occasion)),
        wipe,
      );
      return takeBoundKey(plaintext, encoded);
    },
  };
}
