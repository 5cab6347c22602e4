// SPDX-License-Identifier: Apache-2.0
// Standard Base64 (RFC 4648 §4) from bytes to bytes. Key material goes through here and not through
// strings, which cannot be wiped.

const ALPHABET = Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  'latin1',
);
const PAD = 0x3d;
const NONE = 0xff;
const VALUES = Buffer.alloc(256, NONE);
for (const [value, letter] of ALPHABET.entries()) VALUES.writeUInt8(value, letter);

const letterOf = (bits: number): number => ALPHABET[bits & 63] ?? PAD;

/** Encodes with padding. */
export function encodeBase64(bytes: Uint8Array): Buffer {
  const text = Buffer.alloc(Math.ceil(bytes.length / 3) * 4, PAD);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const [one = 0, two, three] = bytes.subarray(from, from + 3);
    text.writeUInt8(letterOf(one >> 2), to);
    text.writeUInt8(letterOf((one << 4) | ((two ?? 0) >> 4)), to + 1);
    if (two !== undefined) text.writeUInt8(letterOf((two << 2) | ((three ?? 0) >> 6)), to + 2);
    if (three !== undefined) text.writeUInt8(letterOf(three), to + 3);
  }
  return text;
}

/** Decodes strictly: padded, no white space, no bits left over. Undefined for anything else. */
export function decodeBase64(text: Uint8Array): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined;
  let padCount = 0;
  if (text.at(-1) === PAD) padCount = text.at(-2) === PAD ? 2 : 1;
  const bytes = Buffer.alloc((text.length / 4) * 3 - padCount);
  let isValid = true;
  for (let from = 0, to = 0; from < text.length; from += 4, to += 3) {
    let word = 0;
    for (let at = from; at < from + 4; at += 1) {
      const isPad = at >= text.length - padCount;
      const value = isPad ? 0 : (VALUES[text[at] ?? 0] ?? NONE);
      if (value === NONE) isValid = false;
      word = (word << 6) | (value & 63);
    }
    for (let part = 0; part < 3; part += 1) {
      const byte = (word >> (16 - 8 * part)) & 0xff;
      if (to + part < bytes.length) bytes.writeUInt8(byte, to + part);
      // Bits under the padding must be zero: one text per value.
      else if (byte !== 0) isValid = false;
    }
  }
  if (isValid) return bytes;
  bytes.fill(0);
  return undefined;
}
