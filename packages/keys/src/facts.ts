// SPDX-License-Identifier: Apache-2.0
// Facts (event instants, contract and consent ids, holds) are authenticated together with the seals they
// are about and a serial, so they cannot be changed, moved to another record or set back one by one.
import type { KeyObject } from 'node:crypto';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { assert } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';

/** Size of a facts MAC, in bytes. */
export const FACTS_MAC_SIZE_BYTES = 32;
const DOMAIN = Buffer.from('bailiwick/facts/v1\0', 'latin1');
const DIGEST_SIZE_BYTES = 32;
const NUMBERS_OFFSET = DOMAIN.length;
// The work is synchronous, so nobody else can be writing here. Facts are no secret.
const scratch = Buffer.alloc(4096);

/**
 * MAC over facts in canonical JSON, bound to the digests of the record's seals in their order
 * (`digestSeal`) and to `serial`, which grows with each change.
 */
export function macFacts(
  factsKey: KeyObject,
  sealDigests: readonly Uint8Array[],
  serial: number,
  canonicalFacts: string,
): Buffer {
  assert(Number.isSafeInteger(serial) && serial >= 0, 'a serial is a whole number');
  assert(
    sealDigests.every((digest) => digest.length === DIGEST_SIZE_BYTES),
    'a seal digest has 32 bytes',
  );
  // One buffer and one call: each call into the library costs as much as hashing a few hundred bytes.
  const factsOffset = NUMBERS_OFFSET + 12 + sealDigests.length * DIGEST_SIZE_BYTES;
  const sizeMax = factsOffset + canonicalFacts.length * 3;
  const bytes = sizeMax <= scratch.length ? scratch : Buffer.alloc(sizeMax);
  bytes.set(DOMAIN);
  bytes.writeUInt32BE(sealDigests.length, NUMBERS_OFFSET);
  bytes.writeUInt32BE(Math.floor(serial / 2 ** 32), NUMBERS_OFFSET + 4);
  bytes.writeUInt32BE(serial % 2 ** 32, NUMBERS_OFFSET + 8);
  for (let index = 0; index < sealDigests.length; index += 1) {
    bytes.set(sealDigests[index] ?? [], NUMBERS_OFFSET + 12 + index * DIGEST_SIZE_BYTES);
  }
  const end = factsOffset + bytes.write(canonicalFacts, factsOffset, 'utf8');
  return createHmac('sha256', factsKey).update(bytes.subarray(0, end)).digest();
}

/**
 * Verifies facts read from storage and gives them back.
 *
 * @throws {KeysError} `KEYS_FACTS_UNVERIFIED`, which an enforcement point turns into a deny.
 */
export function verifyFacts(
  factsKey: KeyObject,
  stored: {
    readonly sealDigests: readonly Uint8Array[];
    readonly serial: number;
    readonly canonicalFacts: string;
    readonly mac: Uint8Array;
  },
): string {
  const { sealDigests, serial, canonicalFacts, mac } = stored;
  const isSerial = Number.isSafeInteger(serial) && serial >= 0;
  if (!isSerial || mac.length !== FACTS_MAC_SIZE_BYTES) {
    throw new KeysError('KEYS_FACTS_UNVERIFIED', 'facts do not verify');
  }
  if (!timingSafeEqual(macFacts(factsKey, sealDigests, serial, canonicalFacts), mac)) {
    throw new KeysError('KEYS_FACTS_UNVERIFIED', 'facts do not verify');
  }
  return canonicalFacts;
}
