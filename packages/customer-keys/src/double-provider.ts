// SPDX-License-Identifier: Apache-2.0
// Double key: a key of the cell's place and the customer's must each open before a tenant key can be had.
// Each wraps one of two random shares; the tenant key is wrapped (KC-XAES, which commits to its key) under
// a key derived of both. Either provider alone, with all that it was ever given, has 32 random bytes.
import { hkdfSync, type KeyObject } from 'node:crypto';
import type { KeyId } from '@bailiwick/kernel';
import {
  type CustomerKeyProvider,
  type CustomerKeyStatus,
  createKey,
  encodeWrapContext,
  KEY_SIZE_BYTES,
  KeysError,
  takeKey,
  unwrapKey,
  WRAP_SIZE_BYTES,
  type WrapContext,
  wipe,
  withMaterial,
  wrapKey,
} from '@bailiwick/keys';
import { CUSTOMER_WRAP_SIZE_BYTES_MAX } from './limits.ts';
import { unreadableKey } from './provider.ts';

const VERSION = 0x01;
const LENGTH_SIZE_BYTES = 2;
const DOMAIN = Buffer.from('bailiwick/double-key/v1\0', 'utf8');

export interface DoubleProviderParts {
  /** Holds our key of that place. */
  readonly place: CustomerKeyProvider;
  readonly customer: CustomerKeyProvider;
}

type Side = keyof DoubleProviderParts;

/** What a share's wrap is bound to: the tenant key's own context, and which of the two it is. */
function toShareContext(context: WrapContext, side: Side): WrapContext {
  return { ...context, owner: `${context.owner}/${side}-share` };
}

/** HKDF-SHA-256 over both shares, bound to the whole context. */
function deriveDoubleKey(place: KeyObject, customer: KeyObject, context: WrapContext): KeyObject {
  const info = Buffer.concat([DOMAIN, encodeWrapContext(context)]);
  return withMaterial(place, (placeMaterial) =>
    withMaterial(customer, (customerMaterial) => {
      const both = Buffer.alloc(2 * KEY_SIZE_BYTES);
      both.set(placeMaterial, 0);
      both.set(customerMaterial, KEY_SIZE_BYTES);
      const key = takeKey(
        Buffer.from(hkdfSync('sha256', both, Buffer.alloc(0), info, KEY_SIZE_BYTES)),
      );
      wipe(both);
      return key;
    }),
  );
}

/** version | u16be length | wrap by the place | u16be length | wrap by the customer | wrap under both */
function encodeDouble(parts: { place: Buffer; customer: Buffer; wrap: Buffer }): Buffer {
  const size = (bytes: Buffer): Buffer => {
    const length = Buffer.alloc(LENGTH_SIZE_BYTES);
    length.writeUInt16BE(bytes.length, 0);
    return length;
  };
  const { place, customer, wrap } = parts;
  const whole = Buffer.concat([
    Buffer.from([VERSION]),
    size(place),
    place,
    size(customer),
    customer,
    wrap,
  ]);
  if (whole.length <= CUSTOMER_WRAP_SIZE_BYTES_MAX) return whole;
  throw new KeysError('KEYS_PROVIDER_UNAVAILABLE', 'wrap of both keys is too large');
}

function parseDouble(bytes: Uint8Array): { place: Buffer; customer: Buffer; wrap: Buffer } {
  const whole = Buffer.from(bytes);
  if (whole.length > CUSTOMER_WRAP_SIZE_BYTES_MAX || whole[0] !== VERSION) throw unreadableKey();
  let at = 1;
  const take = (): Buffer => {
    if (at + LENGTH_SIZE_BYTES > whole.length) throw unreadableKey();
    const length = whole.readUInt16BE(at);
    const part = whole.subarray(at + LENGTH_SIZE_BYTES, at + LENGTH_SIZE_BYTES + length);
    if (length === 0 || part.length !== length) throw unreadableKey();
    at += LENGTH_SIZE_BYTES + length;
    return part;
  };
  const place = take();
  const customer = take();
  const wrap = whole.subarray(at);
  if (wrap.length !== WRAP_SIZE_BYTES) throw unreadableKey();
  return { place, customer, wrap };
}

const RANK: Readonly<Record<CustomerKeyStatus, number>> = { absent: 0, disabled: 1, enabled: 2 };

/**
 * Makes one provider of two. It is enabled when both are; a failure of either is its failure, and there
 * is no way around it.
 */
export function createDoubleProvider({
  place,
  customer,
}: DoubleProviderParts): CustomerKeyProvider {
  const openShare = (
    side: Side,
    keyId: KeyId,
    wrap: Buffer,
    context: WrapContext,
  ): Promise<KeyObject> =>
    (side === 'place' ? place : customer).unwrap(keyId, wrap, toShareContext(context, side));
  return {
    kind: `${customer.kind}+place`,
    async ensureKey(keyId) {
      await customer.ensureKey(keyId);
      await place.ensureKey(keyId);
    },
    async findStatus(keyId) {
      const [ours, theirs] = await Promise.all([
        place.findStatus(keyId),
        customer.findStatus(keyId),
      ]);
      return RANK[ours] < RANK[theirs] ? ours : theirs;
    },
    async wrap(keyId, key, context) {
      const [ourShare, theirShare] = [createKey(), createKey()];
      const [ours, theirs] = await Promise.all([
        place.wrap(keyId, ourShare, toShareContext(context, 'place')),
        customer.wrap(keyId, theirShare, toShareContext(context, 'customer')),
      ]);
      const both = deriveDoubleKey(ourShare, theirShare, context);
      return encodeDouble({ place: ours, customer: theirs, wrap: wrapKey(both, key, context) });
    },
    async unwrap(keyId, bytes, context) {
      const parts = parseDouble(bytes);
      const [ourShare, theirShare] = await Promise.all([
        openShare('place', keyId, parts.place, context),
        openShare('customer', keyId, parts.customer, context),
      ]);
      return unwrapKey(deriveDoubleKey(ourShare, theirShare, context), parts.wrap, context);
    },
    async destroyKey(keyId) {
      await place.destroyKey?.(keyId);
      await customer.destroyKey?.(keyId);
    },
  };
}
