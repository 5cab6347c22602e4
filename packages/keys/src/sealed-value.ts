// SPDX-License-Identifier: Apache-2.0
// A sealed value: a seal in clear and the envelope it is bound to. Format v1, which cannot change later:
// 'B' 'W' 0x01 | u16be length of the seal | seal | envelope. The envelope's authenticated data is the
// seal (invariant 2), so a value moved to another record, tenant, cell or collection does not open.
import type { KeyObject } from 'node:crypto';
import { hash } from 'node:crypto';
import type { KeyId, RecordId, Seal, SealTemplate } from '@bailiwick/kernel';
import {
  assert,
  encodeSealPrefix,
  isCoded,
  parseSeal,
  SEAL_SIZE_BYTES_MAX,
  toAuthenticatedData,
  writeUuid,
} from '@bailiwick/kernel';
import { ENVELOPE_OVERHEAD_BYTES, openEnvelope, sealEnvelopeBehind } from './envelope.ts';
import { KeysError } from './errors.ts';

const HEADER_SIZE_BYTES = 5;
const VERSION = 1;
const NO_RECORD = Buffer.alloc(16);
const TEXT_PREFIX = 'bwk1.';
const BASE64URL = /^[A-Za-z0-9_-]*$/;
const DIGEST_DOMAIN = Buffer.from('bailiwick/seal-digest/v1\0', 'latin1');
// Hashing is synchronous, so nobody else can be writing here; a seal is no secret.
const digestScratch = Buffer.alloc(DIGEST_DOMAIN.length + SEAL_SIZE_BYTES_MAX);
digestScratch.set(DIGEST_DOMAIN);

/** A key that seals values directly, with what a seal says of it. */
export interface KeyHandle {
  readonly keyId: KeyId;
  /** From 1. */
  readonly version: number;
  readonly key: KeyObject;
}

/** A sealed value taken apart. What the seal says is true only once the envelope has opened. */
export interface SealedValue {
  readonly seal: Seal;
  readonly sealBytes: Buffer;
  readonly envelope: Buffer;
}

/** What is given of a value to be sealed when all but the record is the same. */
export type BulkSealTemplate = Omit<SealTemplate, 'keyId' | 'keyVersion'>;

/** Seals many values of one label under one key. */
export interface Sealer {
  /** Gives the sealed value and the bytes of its seal. */
  seal(recordId: RecordId, plaintext: Uint8Array): Buffer;
}

/** A sealer for values that share all of their seal but the record id. */
export function createSealer(handle: KeyHandle, template: BulkSealTemplate): Sealer {
  const prefix = encodeSealPrefix({
    ...template,
    keyId: handle.keyId,
    keyVersion: handle.version,
  });
  const header = Buffer.from([0x42, 0x57, VERSION, 0, 0]);
  header.writeUInt16BE(prefix.length + 16, 3);
  // The same bytes for every record but for the id at the end; sealing is synchronous.
  const authenticatedData = Buffer.from(toAuthenticatedData(Buffer.concat([prefix, NO_RECORD])));
  const recordOffset = authenticatedData.length - NO_RECORD.length;
  const sealBytes = authenticatedData.subarray(recordOffset - prefix.length);
  return {
    seal(recordId, plaintext) {
      writeUuid(authenticatedData, recordOffset, recordId);
      const sealing = { key: handle.key, plaintext, authenticatedData };
      return sealEnvelopeBehind([header, sealBytes], sealing);
    },
  };
}

/**
 * Seals one value. The seal names the handle's key; the rest of it comes from the template.
 *
 * @throws {KernelError} `KERNEL_SEAL_INVALID` when a field of the template is outside its bounds.
 */
export function sealValue(
  handle: KeyHandle,
  template: BulkSealTemplate,
  recordId: RecordId,
  plaintext: Uint8Array,
): Buffer {
  return createSealer(handle, template).seal(recordId, plaintext);
}

function refuse(problem: string): never {
  throw new KeysError('KEYS_VALUE_MALFORMED', problem);
}

/**
 * Takes a sealed value apart without opening it; the parts are views into `bytes`. SECURITY: all of it
 * is attacker-controlled.
 *
 * @throws {KeysError} `KEYS_VALUE_MALFORMED`
 */
export function parseSealedValue(bytes: Uint8Array): SealedValue {
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (value.length < HEADER_SIZE_BYTES || value[0] !== 0x42 || value[1] !== 0x57) {
    refuse('not a sealed value');
  }
  if (value[2] !== VERSION) refuse('unknown format of a sealed value');
  const sealSize = value.readUInt16BE(3);
  const envelopeOffset = HEADER_SIZE_BYTES + sealSize;
  if (sealSize > SEAL_SIZE_BYTES_MAX) refuse('seal of a sealed value is too long');
  if (value.length < envelopeOffset + ENVELOPE_OVERHEAD_BYTES) refuse('sealed value is cut short');
  const sealBytes = value.subarray(HEADER_SIZE_BYTES, envelopeOffset);
  try {
    return { seal: parseSeal(sealBytes), sealBytes, envelope: value.subarray(envelopeOffset) };
  } catch (cause) {
    if (isCoded(cause, 'KERNEL_SEAL_INVALID') || isCoded(cause, 'KERNEL_ID_INVALID')) {
      throw new KeysError('KEYS_VALUE_MALFORMED', 'seal of a sealed value is malformed', { cause });
    }
    throw cause;
  }
}

const isSame = (one: unknown, other: unknown): boolean =>
  Array.isArray(one) && Array.isArray(other)
    ? one.length === other.length && one.every((item, index) => item === other[index])
    : one === other;

/**
 * Opens a sealed value. With `expected`, first holds the seal against what the caller knows (the record
 * it was read from, the tenant who asks): a value that was put elsewhere is refused by name.
 *
 * @throws {KeysError} `KEYS_SEAL_MISMATCH` with the field; `KEYS_ENVELOPE_UNOPENED`
 */
export function openValue(
  key: KeyObject,
  parsed: SealedValue,
  expected: Partial<Seal> = {},
): Buffer {
  for (const [field, value] of Object.entries(expected)) {
    const found = Object.entries(parsed.seal).find(([name]) => name === field)?.[1];
    if (value !== undefined && !isSame(found, value)) {
      throw new KeysError('KEYS_SEAL_MISMATCH', 'seal is not the one expected here', {
        details: { field },
      });
    }
  }
  return openEnvelope(key, parsed.envelope, toAuthenticatedData(parsed.sealBytes));
}

/** SHA-256 of a seal, by which facts are bound to it. */
export function digestSeal(sealBytes: Uint8Array): Buffer {
  const size = DIGEST_DOMAIN.length + sealBytes.length;
  if (size > digestScratch.length) refuse('seal of a sealed value is too long');
  digestScratch.set(sealBytes, DIGEST_DOMAIN.length);
  // In one call and by way of a string of one character a byte: three times faster than a buffer.
  return Buffer.from(hash('sha256', digestScratch.subarray(0, size), 'binary'), 'latin1');
}

/** A sealed value as text for a column of an application's own: `bwk1.` and base64url. */
export function toSealedText(sealed: Uint8Array): string {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  return TEXT_PREFIX + bytes.toString('base64url');
}

/**
 * Reads the text form, in its one spelling: no padding, no white space, no stray bits.
 *
 * @throws {KeysError} `KEYS_VALUE_MALFORMED`
 */
export function parseSealedText(text: string): SealedValue {
  if (!text.startsWith(TEXT_PREFIX)) refuse('not a sealed value in text form');
  const encoded = text.slice(TEXT_PREFIX.length);
  if (!BASE64URL.test(encoded)) refuse('text of a sealed value is not base64url');
  const bytes = Buffer.from(encoded, 'base64url');
  if (bytes.toString('base64url') !== encoded) refuse('text of a sealed value has stray bits');
  assert(bytes.length <= encoded.length, 'base64url shrinks when decoded');
  return parseSealedValue(bytes);
}
