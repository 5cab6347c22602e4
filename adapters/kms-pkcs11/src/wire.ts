// SPDX-License-Identifier: Apache-2.0
// Frames between the adapter and its token process: `u32be length ‖ u32be id ‖ u8 verb ‖ fields`, each
// field behind a u16be length. Both ends are ours and start together, so there is one version.

export const VERBS = [
  'find',
  'list',
  'encrypt',
  'decrypt',
  'create',
  'rotate',
  'permit',
  'destroy',
  'probe',
] as const;
export type Verb = (typeof VERBS)[number];

export const OUTCOMES = [
  'ok',
  'unknown',
  'disabled',
  'unreadable',
  /** The token is not there, or the session to it cannot be had. */
  'lost',
  /** The token failed. */
  'failed',
  /** The PIN was refused: it is not tried again. */
  'pin-refused',
  /** The native module is not built, or the library cannot be loaded. */
  'not-loaded',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Largest frame: XKS asks for 4,300 bytes of plaintext and 8,192 of additional data. */
export const FRAME_SIZE_BYTES_MAX = 65_536;
const HEAD_SIZE_BYTES = 9;

export interface Frame {
  readonly id: number;
  /** Index into `VERBS` or `OUTCOMES`. */
  readonly word: number;
  readonly fields: readonly Buffer[];
}

export function encodeFrame({ id, word, fields }: Frame): Buffer {
  const size = fields.reduce((sum, field) => sum + 2 + field.length, HEAD_SIZE_BYTES);
  const bytes = Buffer.alloc(size);
  bytes.writeUInt32BE(size - 4, 0);
  bytes.writeUInt32BE(id, 4);
  bytes.writeUInt8(word, 8);
  let at = HEAD_SIZE_BYTES;
  for (const field of fields) {
    bytes.writeUInt16BE(field.length, at);
    bytes.set(field, at + 2);
    at += 2 + field.length;
  }
  return bytes;
}

function parseFrame(bytes: Buffer): Frame {
  const fields: Buffer[] = [];
  for (let at = HEAD_SIZE_BYTES; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    if (end > bytes.length) throw new Error('frame is cut short');
    // A copy of its own, so that the stream's bytes can be wiped at once.
    const field = Buffer.alloc(end - at - 2);
    bytes.copy(field, 0, at + 2, end);
    fields.push(field);
    at = end;
  }
  return { id: bytes.readUInt32BE(4), word: bytes.readUInt8(8), fields };
}

/** Cuts a stream into frames. SECURITY: wipes what it was given, which may hold key material. */
export function createFrameReader(onFrame: (frame: Frame) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    let bytes: Buffer = chunk;
    if (rest.length > 0) {
      bytes = Buffer.alloc(rest.length + chunk.length);
      bytes.set(rest, 0);
      bytes.set(chunk, rest.length);
      rest.fill(0);
      chunk.fill(0);
    }
    let at = 0;
    while (bytes.length - at >= 4) {
      const size = 4 + bytes.readUInt32BE(at);
      if (size < HEAD_SIZE_BYTES || size > FRAME_SIZE_BYTES_MAX)
        throw new Error('frame is too large');
      if (bytes.length - at < size) break;
      onFrame(parseFrame(bytes.subarray(at, at + size)));
      at += size;
    }
    rest = Buffer.alloc(bytes.length - at);
    bytes.copy(rest, 0, at);
    bytes.fill(0);
  };
}
