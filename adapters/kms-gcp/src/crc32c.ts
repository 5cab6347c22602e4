// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli), which Google Cloud KMS takes and gives beside each value. It finds accidents on the
// way; it authenticates nothing.

const TABLE = Array.from({ length: 256 }, (_, index) => {
  let crc = index;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  return crc;
});

/** @see RFC 3720, appendix B.4, for its vectors. */
export function toCrc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0);
  return (crc ^ 0xffff_ffff) >>> 0;
}
