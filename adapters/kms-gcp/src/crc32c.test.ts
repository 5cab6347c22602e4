// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { toCrc32c } from './crc32c.ts';

describe('CRC-32C', () => {
  // RFC 3720, appendix B.4 (bytes there in the order of the wire).
  it.each([
    [Buffer.alloc(32), 0x8a9136aa],
    [Buffer.alloc(32, 0xff), 0x62a8ab43],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
    [Buffer.from(Array.from({ length: 32 }, (_, index) => 31 - index)), 0x113fdb5c],
    [Buffer.from('123456789'), 0xe3069283],
    [Buffer.alloc(0), 0],
  ])('of vector %#', (bytes, crc) => {
    expect(toCrc32c(bytes)).toBe(crc);
  });
});
