// SPDX-License-Identifier: Apache-2.0
// Branded identifiers. Each is made only by its parse function; ids mean nothing about a person
// (invariant 7): ids chosen by callers are turned into keyed hashes before they become one of these.
import { KernelError } from './errors.ts';
import type { Clock, Random } from './ports.ts';

declare const brand: unique symbol;
/** A string that only its parse function can make. */
export type Brand<Name extends string> = string & { readonly [brand]: Name };

/** Place label that a contract names: `eu-de`, `uk-lon`. */
export type Residency = Brand<'Residency'>;
/** A cell: residency and name, `eu-de/main`; `/main` may be left out on the way in. */
export type CellId = Brand<'CellId'>;
/** A customer organisation: UUID, opaque outside its cells. */
export type TenantId = Brand<'TenantId'>;
/** A collection's name within a tenant: kebab-case. */
export type CollectionId = Brand<'CollectionId'>;
/** A record: UUID; version 8 (keyed hash) where the caller chose the id. */
export type RecordId = Brand<'RecordId'>;
/** A subject: UUIDv8, keyed hash of the caller's id for the person. */
export type SubjectId = Brand<'SubjectId'>;
/** A key of any level: UUIDv7. Its version is a number of its own. */
export type KeyId = Brand<'KeyId'>;
/** A ledger entry: UUIDv7. */
export type EntryId = Brand<'EntryId'>;
/** A process of a cell: UUIDv7, new at each start. */
export type ProcessId = Brand<'ProcessId'>;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const RESIDENCY = /^[a-z]{2}-[a-z0-9]{2,8}$/;
const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
/** Longest name of a cell, a collection, a field set, a purpose and the like. */
export const NAME_LENGTH_MAX = 63;

function refuse(what: string, expected: string): never {
  throw new KernelError('KERNEL_ID_INVALID', `not a valid ${what}: expected ${expected}`);
}

/** True for kebab-case names of at most 63 characters, which need no escaping anywhere. */
export function isName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

function parseUuid(text: string, what: string): string {
  return UUID.test(text) ? text : refuse(what, 'a lower-case uuid');
}

/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseResidency(text: string): Residency {
  return (
    RESIDENCY.test(text) ? text : refuse('residency', 'a label such as `eu-de`')
  ) as Residency;
}

/** Reads `eu-de` or `eu-de/main`; both give `eu-de/main`. @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseCellId(text: string): CellId {
  const [residency = '', name = 'main', ...rest] = text.split('/');
  if (rest.length > 0 || !isName(name) || !RESIDENCY.test(residency)) {
    refuse('cell id', 'a residency and a name, such as `eu-de/main`');
  }
  return `${residency}/${name}` as CellId;
}

/** The residency part of a cell's id. */
export function toResidency(cell: CellId): Residency {
  return cell.slice(0, cell.indexOf('/')) as Residency;
}

/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseTenantId(text: string): TenantId {
  return parseUuid(text, 'tenant id') as TenantId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseCollectionId(text: string): CollectionId {
  return (isName(text) ? text : refuse('collection id', 'a kebab-case name')) as CollectionId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseRecordId(text: string): RecordId {
  return parseUuid(text, 'record id') as RecordId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseSubjectId(text: string): SubjectId {
  return parseUuid(text, 'subject id') as SubjectId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseKeyId(text: string): KeyId {
  return parseUuid(text, 'key id') as KeyId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseEntryId(text: string): EntryId {
  return parseUuid(text, 'entry id') as EntryId;
}
/** @throws {KernelError} `KERNEL_ID_INVALID` */
export function parseProcessId(text: string): ProcessId {
  return parseUuid(text, 'process id') as ProcessId;
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);

/** Makes a UUID of this version out of 16 bytes (RFC 9562 §4); version and variant bits are overwritten. */
export function toUuid(bytes: Uint8Array, version: 7 | 8): string {
  const marked = Uint8Array.from(bytes);
  marked[6] = ((marked[6] ?? 0) & 0x0f) | (version << 4);
  marked[8] = ((marked[8] ?? 0) & 0x3f) | 0x80;
  return fromUuidBytes(marked);
}

/** As `toUuid`, from (at least) 32 lower-case hex digits. */
export function toUuidText(hex: string, version: 7 | 8): string {
  if (hex.length < 32) refuse('uuid', '16 bytes');
  const variant = VARIANTS.charAt(Number.parseInt(hex.charAt(16), 16));
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${version}${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** The variant bits `10` in place of a hex digit's upper two. */
const VARIANTS = '89ab89ab89ab89ab';

/** Writes the 16 bytes of a UUID as text, as they are. */
export function fromUuidBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) refuse('uuid', '16 bytes');
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    text += HEX[bytes[index] ?? 0];
    if (index === 3 || index === 5 || index === 7 || index === 9) text += '-';
  }
  return text;
}

/** A new UUIDv7 (RFC 9562 §5.7): 48 bits of time, the rest random. */
export function createUuidV7(ports: { readonly clock: Clock; readonly random: Random }): string {
  const bytes = new Uint8Array(16);
  bytes.set(ports.random.bytes(10), 6);
  let ms = Math.floor(ports.clock.nowMs());
  for (let index = 5; index >= 0; index -= 1) {
    bytes[index] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  return toUuid(bytes, 7);
}
