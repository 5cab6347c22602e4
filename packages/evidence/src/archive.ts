// SPDX-License-Identifier: Apache-2.0
// The archive: a ZIP file (PKWARE APPNOTE 6.3.10) with one way to be written: files in the order of their
// names, stored without compression, one fixed instant, nothing else in it. So the same files are the same
// bytes everywhere, and reading can compare an archive with what writing its files would give: a byte that
// differs anywhere is found.
import { crc32 } from 'node:zlib';
import { EvidenceError } from './errors.ts';
import { PACK_FILES_COUNT_MAX, PACK_NAME_LENGTH_MAX, PACK_SIZE_BYTES_MAX } from './limits.ts';

/** Files of a pack by name. */
export type PackFiles = ReadonlyMap<string, Uint8Array>;

const LOCAL = 0x0403_4b50;
const CENTRAL = 0x0201_4b50;
const END = 0x0605_4b50;
const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;
const END_SIZE = 22;
/** Version 2.0, names in UTF-8 (bit 11), stored, 1980-01-01 00:00 (the first that the format knows). */
const VERSION = 20;
const FLAGS = 0x0800;
const DOS_DATE = 0x0021;
/** A regular file, readable by all; made on Unix. */
const MADE_BY = (3 << 8) | VERSION;
const ATTRIBUTES = 0o100644 * 65_536;
const NAME = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*)*$/i;

function refuse(problem: string): never {
  throw new EvidenceError('EVIDENCE_PACK_MALFORMED', problem);
}

interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly crc: number;
  readonly offset: number;
}

/** What local and central headers share, from the version on. */
function writeCommon(
  header: Buffer,
  at: number,
  { name, bytes, crc }: Omit<Member, 'offset'>,
): void {
  header.writeUInt16LE(VERSION, at);
  header.writeUInt16LE(FLAGS, at + 2);
  header.writeUInt16LE(0, at + 4);
  header.writeUInt16LE(0, at + 6);
  header.writeUInt16LE(DOS_DATE, at + 8);
  header.writeUInt32LE(crc, at + 10);
  header.writeUInt32LE(bytes.length, at + 14);
  header.writeUInt32LE(bytes.length, at + 18);
  header.writeUInt16LE(Buffer.byteLength(name), at + 22);
}

function toLocal(member: Omit<Member, 'offset'>): Buffer {
  const header = Buffer.alloc(LOCAL_SIZE);
  header.writeUInt32LE(LOCAL, 0);
  writeCommon(header, 4, member);
  return Buffer.concat([header, Buffer.from(member.name)]);
}

function toCentral(member: Member): Buffer {
  const header = Buffer.alloc(CENTRAL_SIZE);
  header.writeUInt32LE(CENTRAL, 0);
  header.writeUInt16LE(MADE_BY, 4);
  writeCommon(header, 6, member);
  header.writeUInt32LE(ATTRIBUTES, 38);
  header.writeUInt32LE(member.offset, 42);
  return Buffer.concat([header, Buffer.from(member.name)]);
}

function toEnd(
  count: number,
  directory: { readonly offset: number; readonly size: number },
): Buffer {
  const end = Buffer.alloc(END_SIZE);
  end.writeUInt32LE(END, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.size, 12);
  end.writeUInt32LE(directory.offset, 16);
  return end;
}

/**
 * Writes an archive, part by part. @throws {EvidenceError} `EVIDENCE_PACK_MALFORMED` for a name that no pack
 * has, or too much.
 */
export function* writeArchive(files: PackFiles): Generator<Uint8Array> {
  if (files.size > PACK_FILES_COUNT_MAX) refuse('a pack has too many files');
  const members: Member[] = [];
  let offset = 0;
  for (const name of [...files.keys()].sort()) {
    if (!NAME.test(name) || name.length > PACK_NAME_LENGTH_MAX)
      refuse('not a name of a file of a pack');
    const bytes = files.get(name) ?? new Uint8Array(0);
    const member = { name, bytes, crc: crc32(bytes), offset };
    const header = toLocal(member);
    members.push(member);
    offset += header.length + bytes.length;
    if (offset > PACK_SIZE_BYTES_MAX) refuse('a pack is too large');
    yield header;
    yield bytes;
  }
  const directory = Buffer.concat(members.map(toCentral));
  yield directory;
  yield toEnd(members.length, { offset, size: directory.length });
}

/**
 * Reads an archive that `writeArchive` wrote, and no other: every byte is held against the one way to write
 * what was read. SECURITY: all of `bytes` is untrusted.
 *
 * @throws {EvidenceError} `EVIDENCE_PACK_MALFORMED`
 */
export function parseArchive(bytes: Uint8Array): PackFiles {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files = new Map(listMembers(all));
  let at = 0;
  for (const part of writeArchive(files)) {
    const isSame =
      all.compare(part, 0, part.length, at, Math.min(all.length, at + part.length)) === 0;
    if (!isSame) refuse(`the archive is not written as a pack is, at byte ${at} or after it`);
    at += part.length;
  }
  if (at !== all.length) refuse('something stands behind the end of the archive');
  return files;
}

function* listMembers(all: Buffer): Generator<readonly [string, Uint8Array]> {
  if (all.length < END_SIZE || all.length > PACK_SIZE_BYTES_MAX) refuse('not an archive of a pack');
  const end = all.subarray(all.length - END_SIZE);
  if (end.readUInt32LE(0) !== END) refuse('the archive has no end, or more behind it');
  const count = end.readUInt16LE(10);
  if (count > PACK_FILES_COUNT_MAX) refuse('a pack has too many files');
  let at = end.readUInt32LE(16);
  let last = '';
  for (let number = 0; number < count; number += 1) {
    if (at + CENTRAL_SIZE > all.length || all.readUInt32LE(at) !== CENTRAL) {
      refuse('the directory of the archive is not whole');
    }
    const size = all.readUInt32LE(at + 20);
    const nameSize = all.readUInt16LE(at + 28);
    const name = all.toString('utf8', at + CENTRAL_SIZE, at + CENTRAL_SIZE + nameSize);
    const start = all.readUInt32LE(at + 42) + LOCAL_SIZE + nameSize;
    if (name <= last || start + size > all.length) refuse('the directory of the archive is wrong');
    yield [name, all.subarray(start, start + size)];
    last = name;
    at += CENTRAL_SIZE + nameSize;
  }
}
