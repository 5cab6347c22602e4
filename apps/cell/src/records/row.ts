// SPDX-License-Identifier: Apache-2.0
// How a record lies in a row: what its facts MAC covers, what its digest in the ledger covers, and the
// container of its sealed field sets. These formats stand in databases and ledgers: they cannot change,
// only get a successor with another version byte.

import type { KeyObject } from 'node:crypto';
import { hash } from 'node:crypto';
import type { FieldValue } from '@bailiwick/contracts';
import {
  type CollectionId,
  type EntryId,
  type RecordId,
  type Residency,
  type SubjectId,
  type TenantId,
  writeUuid,
} from '@bailiwick/kernel';
import { digestSeal, macFacts, verifyFacts } from '@bailiwick/keys';
import { RecordError } from './errors.ts';

/** Of which cell's record this is a copy, in which form, by which transfer. */
export interface CopyOf {
  readonly cell: string;
  readonly form: string;
  readonly transfer: string;
}

/** What is stored of a record's label beside its seals, in canonical JSON, under the facts MAC. */
export interface RecordFacts {
  /** RFC 3339: when this cell took it in. */
  readonly collectedAt: string;
  /** Present in a copy that another cell sent: its home, and whose word it is, are unchanged. */
  readonly copyOf?: CopyOf;
  /** The date the law counts from. */
  readonly lawDate: string;
  readonly origin: string;
  readonly regimes: readonly string[];
  readonly residency: Residency;
}

/** All of a row but its place in the ledger. */
export interface RecordContent {
  readonly tenantId: TenantId;
  readonly collectionId: CollectionId;
  readonly recordId: RecordId;
  readonly version: number;
  readonly schemaVersion: number;
  readonly subjectId: SubjectId | undefined;
  /** Canonical JSON of `RecordFacts`. */
  readonly facts: string;
  /** Canonical JSON of the plain fields. */
  readonly plain: string;
  readonly sealed: Buffer;
  readonly blind: readonly Buffer[];
}

export interface RecordRow extends RecordContent {
  readonly factsMac: Buffer;
  readonly entryId: EntryId;
}

/** A row with its plain fields as values beside their canonical text. */
export interface ReadRow extends RecordRow {
  readonly plainFields: Readonly<Record<string, unknown>>;
}

const CONTAINER_VERSION = 1;
const ROW_DOMAIN = Buffer.from('bailiwick/row/v1\0', 'latin1');
const NO_SUBJECT = Buffer.alloc(16);

/** Canonical JSON of a flat object whose keys are in order already (RFC 8785). */
export function toFlatJson(fields: Readonly<Record<string, FieldValue>>): string {
  return JSON.stringify(fields);
}

/** Canonical JSON of a flat object in any order, as `jsonb` gives it back. */
export function toSortedFlatJson(fields: Readonly<Record<string, unknown>>): string {
  const sorted: Record<string, unknown> = {};
  for (const name of Object.keys(fields).sort()) sorted[name] = fields[name];
  return JSON.stringify(sorted);
}

/** Canonical JSON of facts. */
export function toFactsJson(facts: RecordFacts): string {
  const { collectedAt, copyOf, lawDate, origin, regimes, residency } = facts;
  // Absent members are not written; those of `copyOf` are in order where it is made.
  return JSON.stringify({ collectedAt, copyOf, lawDate, origin, regimes, residency });
}

/** Reads facts that have verified. */
export function parseFacts(text: string): RecordFacts {
  return JSON.parse(text) as RecordFacts;
}

/** Version u8, count u8, then each sealed value behind its length as u32be. */
export function encodeContainer(values: readonly Buffer[]): Buffer {
  let size = 2;
  for (const value of values) size += 4 + value.length;
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = CONTAINER_VERSION;
  bytes[1] = values.length;
  let at = 2;
  for (const value of values) {
    bytes.writeUInt32BE(value.length, at);
    bytes.set(value, at + 4);
    at += 4 + value.length;
  }
  return bytes;
}

/**
 * The sealed values of a container, as views. SECURITY: the bytes are the database's word.
 *
 * @throws {RecordError} `RECORD_FACTS_UNVERIFIED`
 */
export function parseContainer(bytes: Buffer): readonly Buffer[] {
  const refuse = (): never => {
    throw new RecordError('RECORD_FACTS_UNVERIFIED', 'the sealed part of the record is malformed');
  };
  if (bytes[0] !== CONTAINER_VERSION) refuse();
  const values: Buffer[] = [];
  let at = 2;
  for (let index = 0; index < (bytes[1] ?? 0); index += 1) {
    if (at + 4 > bytes.length) refuse();
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) refuse();
    values.push(bytes.subarray(at + 4, end));
    at = end;
  }
  if (at !== bytes.length) refuse();
  return values;
}

/** Bytes before the seal within a sealed value: `B` `W` 1, length of the seal as u16be. */
export const VALUE_HEADER_SIZE_BYTES = 5;

/** The seal's bytes within a sealed value. */
export function sealBytesOf(value: Buffer): Buffer {
  const isOurs = value.length > 5 && value[0] === 0x42 && value[1] === 0x57 && value[2] === 1;
  const end = VALUE_HEADER_SIZE_BYTES + (isOurs ? value.readUInt16BE(3) : 0);
  if (value.length < end || end === VALUE_HEADER_SIZE_BYTES) {
    throw new RecordError('RECORD_FACTS_UNVERIFIED', 'a sealed value is malformed');
  }
  return value.subarray(VALUE_HEADER_SIZE_BYTES, end);
}

function toDigests(values: readonly Buffer[]): readonly Buffer[] {
  return values.map((value) => digestSeal(sealBytesOf(value)));
}

/** What the MAC covers beside the seals: everything else that a reader acts on, in canonical JSON. */
function toCoveredText(content: RecordContent): string {
  const { collectionId, recordId, schemaVersion, subjectId, facts, plain, blind } = content;
  let indexes = '';
  for (const index of blind) indexes += index.toString('hex');
  const plainHash = hash('sha256', plain, 'base64url');
  return (
    `{"blind":"${indexes}","collection":"${collectionId}","facts":${facts},"plain":"${plainHash}",` +
    `"record":"${recordId}","schema":${schemaVersion},"subject":"${subjectId ?? ''}"}`
  );
}

/** Authenticates all that stands beside the ciphertext, with the record's version as serial. */
export function macRecord(
  factsKey: KeyObject,
  content: RecordContent,
  values: readonly Buffer[],
): Buffer {
  return macFacts(factsKey, toDigests(values), content.version, toCoveredText(content));
}

/**
 * Verifies a row's facts, plain fields, ids and indexes.
 *
 * @throws {KeysError} `KEYS_FACTS_UNVERIFIED`; {RecordError} `RECORD_FACTS_UNVERIFIED`
 */
export function verifyRecord(
  factsKey: KeyObject,
  row: RecordContent & { readonly factsMac: Buffer },
): readonly Buffer[] {
  const values = parseContainer(row.sealed);
  verifyFacts(factsKey, {
    sealDigests: toDigests(values),
    serial: row.version,
    canonicalFacts: toCoveredText(row),
    mac: row.factsMac,
  });
  return values;
}

/** Bytes that the row's digest covers before the variable parts: domain, three ids, two numbers. */
const HEAD_SIZE_BYTES = ROW_DOMAIN.length + 48 + 8;
const head = Buffer.alloc(HEAD_SIZE_BYTES);
head.set(ROW_DOMAIN);
// Hashing is synchronous, so nobody else can be writing here; nothing in a row is plain and secret.
const rowScratch = Buffer.alloc(16_384);

/**
 * SHA-256 of a row's one encoding, which its ledger entry carries: domain | tenant 16 | record 16 |
 * subject 16 (zeros: none) | version u32be | schema version u32be | then, each behind its length as
 * u32be: collection, facts, plain, sealed, MAC, and the indexes in their order.
 */
export function digestRow(row: RecordContent & { readonly factsMac: Buffer }): Buffer {
  let at = ROW_DOMAIN.length;
  writeUuid(head, at, row.tenantId);
  writeUuid(head, at + 16, row.recordId);
  if (row.subjectId) writeUuid(head, at + 32, row.subjectId);
  else head.set(NO_SUBJECT, at + 32);
  head.writeUInt32BE(row.version, at + 48);
  head.writeUInt32BE(row.schemaVersion, at + 52);
  const collectionSize = Buffer.byteLength(row.collectionId);
  const factsSize = Buffer.byteLength(row.facts);
  const plainSize = Buffer.byteLength(row.plain);
  let size = HEAD_SIZE_BYTES + 20 + collectionSize + factsSize + plainSize + row.sealed.length + 32;
  for (const index of row.blind) size += 4 + index.length;
  const bytes = size <= rowScratch.length ? rowScratch : Buffer.allocUnsafe(size);
  bytes.set(head);
  at = HEAD_SIZE_BYTES;
  const texts: readonly (readonly [string, number])[] = [
    [row.collectionId, collectionSize],
    [row.facts, factsSize],
    [row.plain, plainSize],
  ];
  for (const [text, length] of texts) {
    bytes.writeUInt32BE(length, at);
    bytes.write(text, at + 4);
    at += 4 + length;
  }
  for (const part of [row.sealed, row.factsMac, ...row.blind]) {
    bytes.writeUInt32BE(part.length, at);
    bytes.set(part, at + 4);
    at += 4 + part.length;
  }
  return Buffer.from(hash('sha256', bytes.subarray(0, at), 'binary'), 'latin1');
}
