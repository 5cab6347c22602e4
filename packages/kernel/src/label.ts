// SPDX-License-Identifier: Apache-2.0
// The seal: the part of a label that never changes for a ciphertext and is its authenticated data
// (invariant 2). Terms are not here: they are derived from facts by the charter in force.
import { assert, KernelError } from './errors.ts';
import type { CellId, CollectionId, KeyId, RecordId, Residency, TenantId } from './id.ts';
import {
  fromUuidBytes,
  isName,
  parseCellId,
  parseKeyId,
  parseRecordId,
  parseResidency,
  parseTenantId,
} from './id.ts';

/** Data classes, from the most to the least protected. The order is the wire number: append only. */
export const DATA_CLASSES = ['restricted', 'sensitive', 'operational', 'public'] as const;
export type DataClass = (typeof DATA_CLASSES)[number];

/** Most regimes that one datum carries. */
export const REGIMES_COUNT_MAX = 4;
/** Longest seal in bytes; every field at its largest stays under it. */
export const SEAL_SIZE_BYTES_MAX = 1024;

/**
 * Facts fixed at sealing. Places, regimes, category and purpose are names of the charter's closed sets.
 */
export interface Seal {
  readonly tenantId: TenantId;
  readonly cellId: CellId;
  readonly residency: Residency;
  /** Jurisdiction where it was collected: `de`, `uk`, `us-ca`. */
  readonly origin: string;
  /** Sorted, without repetition, one to four. */
  readonly regimes: readonly string[];
  readonly class: DataClass;
  readonly category: string;
  /** Purpose of collection. */
  readonly purpose: string;
  readonly collectionId: CollectionId;
  readonly fieldSet: string;
  readonly keyId: KeyId;
  /** From 1. */
  readonly keyVersion: number;
  /** The date the law counts from, days since 1970-01-01. */
  readonly lawDate: number;
  readonly recordId: RecordId;
}

const SEAL_VERSION = 1;
const DOMAIN = new TextEncoder().encode('bailiwick/seal/v1\0');
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

function refuse(problem: string): never {
  throw new KernelError('KERNEL_SEAL_INVALID', problem);
}

/** Writes the 16 bytes of a canonical UUID text at `offset`. */
export function writeUuid(target: Uint8Array, offset: number, text: string): void {
  let at = offset;
  for (let index = 0; index < 36; index += 2) {
    if (text.charCodeAt(index) === 0x2d) index += 1;
    target[at] = (hexValue(text.charCodeAt(index)) << 4) | hexValue(text.charCodeAt(index + 1));
    at += 1;
  }
  assert(at === offset + 16, 'a uuid has 16 bytes');
}

function hexValue(code: number): number {
  return code < 0x3a ? code - 0x30 : code - 0x57;
}

/** Everything of a seal but its record id: encode once, append many record ids. */
export type SealTemplate = Omit<Seal, 'recordId'>;

/**
 * Encodes all of a seal but the record id. The full encoding is this prefix and the 16 bytes of the
 * record id, so a bulk of one subject and one label shares it.
 *
 * Layout: version u8; tenant 16 bytes; key id 16; key version u32be; law date i32be; class u8; then
 * u8-length-prefixed UTF-8: cell, residency, origin, category, purpose, collection, field set; count u8
 * and the regimes likewise. Each value has one encoding, so equality of bytes is equality of seals.
 *
 * @throws {KernelError} `KERNEL_SEAL_INVALID` when a value is outside its bounds.
 */
export function encodeSealPrefix(seal: SealTemplate): Uint8Array {
  const { regimes } = seal;
  if (regimes.length < 1 || regimes.length > REGIMES_COUNT_MAX)
    refuse('expected one to four regimes');
  for (let index = 1; index < regimes.length; index += 1) {
    if ((regimes[index - 1] ?? '') >= (regimes[index] ?? ''))
      refuse('regimes must be sorted, each once');
  }
  if (!Number.isInteger(seal.keyVersion) || seal.keyVersion < 1 || seal.keyVersion > 0xffff_ffff) {
    refuse('key version must be from 1 to 2^32 - 1');
  }
  if (!Number.isInteger(seal.lawDate) || Math.abs(seal.lawDate) > 0x7fff_ffff)
    refuse('law date is out of range');
  const texts = [
    seal.cellId,
    seal.residency,
    seal.origin,
    seal.category,
    seal.purpose,
    seal.collectionId,
    seal.fieldSet,
  ];
  const names = [seal.origin, seal.category, seal.purpose, seal.collectionId, seal.fieldSet];
  if (!names.every(isName) || !regimes.every(isName)) refuse('seal names something impossible');
  const bytes = new Uint8Array(SEAL_SIZE_BYTES_MAX);
  const view = new DataView(bytes.buffer);
  bytes[0] = SEAL_VERSION;
  writeUuid(bytes, 1, seal.tenantId);
  writeUuid(bytes, 17, seal.keyId);
  view.setUint32(33, seal.keyVersion);
  view.setInt32(37, seal.lawDate);
  bytes[41] = DATA_CLASSES.indexOf(seal.class);
  let offset = 42;
  const append = (text: string): void => {
    const encoded = encoder.encode(text);
    if (encoded.length < 1 || encoded.length > 127) refuse('each name has 1 to 127 bytes');
    bytes[offset] = encoded.length;
    bytes.set(encoded, offset + 1);
    offset += 1 + encoded.length;
    if (offset > SEAL_SIZE_BYTES_MAX - 144) refuse('seal is too long');
  };
  for (const text of texts) append(text);
  bytes[offset] = regimes.length;
  offset += 1;
  for (const regime of regimes) append(regime);
  return bytes.slice(0, offset);
}

/** A seal's one encoding. @throws {KernelError} `KERNEL_SEAL_INVALID` */
export function encodeSeal(seal: Seal): Uint8Array {
  return appendRecordId(encodeSealPrefix(seal), seal.recordId);
}

/** The prefix of `encodeSealPrefix` with a record id behind it. */
export function appendRecordId(prefix: Uint8Array, recordId: RecordId): Uint8Array {
  const bytes = new Uint8Array(prefix.length + 16);
  bytes.set(prefix);
  writeUuid(bytes, prefix.length, recordId);
  return bytes;
}

/** What is authenticated: the domain and the seal's encoding. */
export function toAuthenticatedData(encodedSeal: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(DOMAIN.length + encodedSeal.length);
  bytes.set(DOMAIN);
  bytes.set(encodedSeal, DOMAIN.length);
  return bytes;
}

/**
 * Reads a seal back. SECURITY: the bytes are attacker-controlled; what they say is true only after the
 * ciphertext that they belong to has opened.
 *
 * @throws {KernelError} `KERNEL_SEAL_INVALID` for anything but the one encoding of a seal.
 */
export function parseSeal(bytes: Uint8Array): Seal {
  if (bytes.length < 60 || bytes.length > SEAL_SIZE_BYTES_MAX)
    refuse('seal has an impossible length');
  if (bytes[0] !== SEAL_VERSION) refuse('unknown version of seal');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 42;
  const text = (): string => {
    const size = bytes[offset] ?? 0;
    if (size < 1 || size > 127 || offset + 1 + size > bytes.length - 16)
      refuse('seal is cut short');
    offset += 1 + size;
    try {
      return decoder.decode(bytes.subarray(offset - size, offset));
    } catch {
      return refuse('seal is not UTF-8');
    }
  };
  const uuid = (at: number): string => fromUuidBytes(bytes.subarray(at, at + 16));
  const [cell, residency, origin, category, purpose, collectionId, fieldSet] = [
    text(),
    text(),
    text(),
    text(),
    text(),
    text(),
    text(),
  ];
  const count = bytes[offset] ?? 0;
  offset += 1;
  const regimes: string[] = [];
  for (let index = 0; index < count; index += 1) regimes.push(text());
  if (offset + 16 !== bytes.length) refuse('seal has trailing bytes');
  const names = [origin, category, purpose, collectionId, fieldSet, ...regimes];
  const dataClass = DATA_CLASSES[bytes[41] ?? 255];
  if (!names.every(isName) || dataClass === undefined) refuse('seal names something impossible');
  const seal = {
    tenantId: parseTenantId(uuid(1)),
    cellId: parseCellId(cell),
    residency: parseResidency(residency),
    origin,
    regimes,
    class: dataClass,
    category,
    purpose,
    collectionId: collectionId as CollectionId,
    fieldSet,
    keyId: parseKeyId(uuid(17)),
    keyVersion: view.getUint32(33),
    lawDate: view.getInt32(37),
    recordId: parseRecordId(uuid(offset)),
  };
  const again = encodeSeal(seal);
  if (again.length !== bytes.length || again.some((byte, index) => byte !== bytes[index])) {
    refuse('seal is not in its one encoding');
  }
  return seal;
}
