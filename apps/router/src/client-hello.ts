// SPDX-License-Identifier: Apache-2.0
// Reads the server name out of a TLS ClientHello, which may come in any number of segments and records,
// without ending TLS. All of it is attacker-controlled; nothing but the name is looked at.
// See RFC 8446 §4.1.2 and §5.1, RFC 6066 §3, RFC 8446 §4.2 (one extension of a kind).
import { RouterError } from './errors.ts';
import { HELLO_RECORDS_COUNT_MAX, HELLO_SIZE_BYTES_MAX } from './limits.ts';

const RECORD_HEADER_SIZE = 5;
const HANDSHAKE_HEADER_SIZE = 4;
const CONTENT_HANDSHAKE = 22;
const HANDSHAKE_CLIENT_HELLO = 1;
const RECORD_SIZE_BYTES_MAX = 16_384;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;
const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

function refuse(problem: string): never {
  throw new RouterError('ROUTER_HELLO_INVALID', `not a client hello: ${problem}`);
}

/** A complete hello: the name it asks for, if any, in lower case. */
export interface ClientHello {
  readonly serverName?: string;
}

/** The handshake bytes of the records so far, and where the next look makes sense. */
interface Joined {
  readonly handshake: Buffer;
  /** Total size from which on there is something new to see. */
  readonly neededBytes: number;
}

/** The size that the first handshake message says it has, header included; 0 while that is unknown. */
function toMessageSize(parts: readonly Buffer[]): number {
  const head = Buffer.concat(parts.slice(0, HANDSHAKE_HEADER_SIZE)).subarray(
    0,
    HANDSHAKE_HEADER_SIZE,
  );
  return head.length < HANDSHAKE_HEADER_SIZE ? 0 : HANDSHAKE_HEADER_SIZE + head.readUIntBE(1, 3);
}

function joinRecords(bytes: Buffer): Joined {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  let offset = 0;
  for (let count = 0; offset < bytes.length; count += 1) {
    if (count >= HELLO_RECORDS_COUNT_MAX) refuse('cut into too many records');
    if (bytes[offset] !== CONTENT_HANDSHAKE) refuse('expected a handshake record');
    if (offset + 1 < bytes.length && bytes[offset + 1] !== 3) refuse('unknown record version');
    const start = offset + RECORD_HEADER_SIZE;
    if (start > bytes.length) return { handshake: Buffer.concat(parts), neededBytes: start };
    const size = bytes.readUInt16BE(offset + 3);
    if (size === 0 || size > RECORD_SIZE_BYTES_MAX) refuse('impossible record size');
    const part = bytes.subarray(start, Math.min(start + size, bytes.length));
    parts.push(part);
    sizeBytes += part.length;
    offset = start + size;
    const messageSize = toMessageSize(parts);
    // A hello that is whole needs no look at what follows it.
    if (messageSize > 0 && sizeBytes >= messageSize) break;
  }
  return { handshake: Buffer.concat(parts), neededBytes: Math.max(offset, bytes.length + 1) };
}

/** Walks a byte range with every step checked against its end. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  number(size: 1 | 2): number {
    const part = this.take(size);
    return part.readUIntBE(0, size);
  }

  take(size: number): Buffer {
    if (this.#at + size > this.#bytes.length) refuse('a length leads past the end');
    this.#at += size;
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** A vector with its length in front. */
  vector(lengthSize: 1 | 2): Buffer {
    return this.take(this.number(lengthSize));
  }
}

function parseServerName(data: Buffer): string {
  const list = new Cursor(new Cursor(data).vector(2));
  let name: string | undefined;
  while (!list.isAtEnd) {
    const type = list.number(1);
    const value = list.vector(2);
    if (type !== NAME_TYPE_HOST) continue;
    // RFC 6066 §3: no more than one name of a type.
    if (name !== undefined) refuse('more than one server name');
    name = value.toString('latin1').toLowerCase();
  }
  if (name === undefined || !HOST_NAME.test(name))
    return refuse('the server name is not a host name');
  return name;
}

function parseBody(body: Buffer): ClientHello {
  const cursor = new Cursor(body);
  cursor.take(2 + 32); // legacy version, random
  if (cursor.vector(1).length > 32) refuse('impossible session id');
  const suites = cursor.vector(2).length;
  if (suites < 2 || suites % 2 !== 0) refuse('impossible cipher suites');
  if (cursor.vector(1).length < 1) refuse('no compression method');
  if (cursor.isAtEnd) return {};
  const extensions = new Cursor(cursor.vector(2));
  if (!cursor.isAtEnd) refuse('bytes behind the extensions');
  let serverName: string | undefined;
  while (!extensions.isAtEnd) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type !== EXTENSION_SERVER_NAME) continue;
    if (serverName !== undefined) refuse('more than one server name extension');
    serverName = parseServerName(data);
  }
  return serverName === undefined ? {} : { serverName };
}

/**
 * Reads what has come so far. Without a hello yet, it says from how many bytes on another look makes
 * sense, so that many small segments cost no more than a few large ones.
 *
 * @throws {RouterError} `ROUTER_HELLO_INVALID` as soon as it cannot become a hello within bounds.
 */
export function parseClientHello(
  bytes: Buffer,
): { readonly hello: ClientHello } | { readonly neededBytes: number } {
  const { handshake, neededBytes } = joinRecords(bytes);
  if (handshake.length >= 1 && handshake[0] !== HANDSHAKE_CLIENT_HELLO) {
    refuse('another handshake message');
  }
  if (handshake.length >= HANDSHAKE_HEADER_SIZE) {
    const end = HANDSHAKE_HEADER_SIZE + handshake.readUIntBE(1, 3);
    if (end > HELLO_SIZE_BYTES_MAX) refuse('too large');
    if (handshake.length >= end) {
      return { hello: parseBody(handshake.subarray(HANDSHAKE_HEADER_SIZE, end)) };
    }
  }
  const overhead = HELLO_RECORDS_COUNT_MAX * RECORD_HEADER_SIZE;
  if (bytes.length > HELLO_SIZE_BYTES_MAX + overhead) refuse('too large');
  return { neededBytes };
}
