// SPDX-License-Identifier: Apache-2.0
import { KeysError } from '@bailiwick/keys';
import type { AeadCiphertext } from './ports.ts';

const VERSION_SIZE_BYTES_MAX = 20;
const TAG_SIZE_BYTES = 16;
/** XKS allows 12 and 16; what we make has 12. */
const IV_SIZES_BYTES = [12, 16];

/** Writes a ciphertext in its parts as bytes: version, iv (each behind its length), tag, ciphertext. */
export function encodeAeadCiphertext({ version, iv, tag, ciphertext }: AeadCiphertext): Buffer {
  return Buffer.concat([
    Buffer.from([version.length]),
    version,
    Buffer.from([iv.length]),
    iv,
    tag,
    ciphertext,
  ]);
}

/** @throws {KeysError} `KEYS_KEY_UNREADABLE` */
export function parseAeadCiphertext(bytes: Buffer): AeadCiphertext {
  const versionSize = bytes[0] ?? 0;
  const ivSize = bytes[1 + versionSize] ?? 0;
  const ivAt = 2 + versionSize;
  const tagAt = ivAt + ivSize;
  const isWhole =
    versionSize <= VERSION_SIZE_BYTES_MAX &&
    IV_SIZES_BYTES.includes(ivSize) &&
    bytes.length > tagAt + TAG_SIZE_BYTES;
  if (!isWhole) throw new KeysError('KEYS_KEY_UNREADABLE', 'wrap is cut short or of another kind');
  return {
    version: bytes.subarray(1, 1 + versionSize),
    iv: bytes.subarray(ivAt, tagAt),
    tag: bytes.subarray(tagAt, tagAt + TAG_SIZE_BYTES),
    ciphertext: bytes.subarray(tagAt + TAG_SIZE_BYTES),
  };
}
