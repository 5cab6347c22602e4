// SPDX-License-Identifier: Apache-2.0
// The drill's own test: one deliberate leak of each kind is caught, and nothing is seen where nothing is.
import { createHash, randomBytes } from 'node:crypto';
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { toHashPatterns, toTokenPatterns } from './patterns.ts';
import { createScanner } from './scanner.ts';

const TOKEN = 'Canary7Qx2VtR9Lm4Zk8Wp';
const EMAIL = `erika.${TOKEN}@post.example`;
const scanner = createScanner([...toTokenPatterns(TOKEN), ...toHashPatterns([EMAIL])]);

const noise = (size: number): Buffer => randomBytes(size);
const inNoise = (bytes: Buffer | string): Buffer =>
  Buffer.concat([noise(1_000), Buffer.from(bytes), noise(1_000)]);
const kindsIn = (bytes: Buffer, isWhole = false): readonly string[] => [
  ...new Set(scanner.scan(bytes, { isWhole }).map(({ kind }) => kind)),
];
const json = JSON.stringify({ fields: { email: EMAIL } });
const sha256 = createHash('sha256').update(EMAIL).digest();

describe('a deliberate leak is caught', () => {
  it.each<readonly [string, string, Buffer | string]>([
    ['as it is', 'raw', EMAIL],
    ['in lower case', 'lower case', EMAIL.toLowerCase()],
    ['in upper case', 'upper case', EMAIL.toUpperCase()],
    ['backwards', 'reversed', [...EMAIL].reverse().join('')],
    ['in hex', 'hex', Buffer.from(EMAIL).toString('hex')],
    ['in hex, upper case', 'hex', Buffer.from(EMAIL).toString('hex').toUpperCase()],
    ['in base64', 'base64', Buffer.from(json).toString('base64')],
    ['in base64, one byte on', 'base64', Buffer.from(`x${json}`).toString('base64')],
    ['in base64, two bytes on', 'base64', Buffer.from(`xx${json}`).toString('base64')],
    ['in base64url', 'base64', Buffer.from(json).toString('base64url')],
    [
      'url-escaped',
      'url-escaped',
      [...Buffer.from(EMAIL)].map((b) => `%${b.toString(16)}`).join(''),
    ],
    ['url-escaped as usual', 'raw', encodeURIComponent(EMAIL)],
    [
      'json-escaped',
      'json-escaped',
      [...EMAIL].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(''),
    ],
    ['in UTF-16, little end first', 'utf-16', Buffer.from(EMAIL, 'utf16le')],
    ['in UTF-16, big end first', 'utf-16', Buffer.from(EMAIL, 'utf16le').swap16()],
    ['in gzip', 'raw in gzip', gzipSync(json)],
    ['in deflate', 'raw in deflate', deflateSync(json)],
    ['in zstd', 'raw in zstd', zstdCompressSync(json)],
    ['in gzip of base64', 'base64 in gzip', gzipSync(Buffer.from(json).toString('base64'))],
    ['in gzip of deflate', 'raw in deflate in gzip', gzipSync(deflateSync(json))],
    ['as an unkeyed hash', 'unkeyed sha256', sha256],
    ['as an unkeyed hash in hex', 'unkeyed sha256', sha256.toString('hex')],
    ['as an unkeyed hash in base64', 'unkeyed sha256', sha256.toString('base64')],
    ['as half an unkeyed hash', 'unkeyed sha256', sha256.subarray(0, 16)],
    [
      'as a hash of its normal form',
      'unkeyed sha1',
      createHash('sha1').update(EMAIL.toLowerCase()).digest('hex'),
    ],
  ])('%s', (_what, kind, bytes) => {
    expect(kindsIn(inNoise(bytes))).toContain(kind);
  });

  it.each<readonly [string, string, Buffer]>([
    ['in brotli', 'raw in brotli', brotliCompressSync(json)],
    ['in raw deflate', 'raw in deflate-raw', deflateRawSync(json)],
  ])('%s, which has no first bytes to know it by', (_what, kind, bytes) => {
    expect(kindsIn(bytes, true)).toContain(kind);
  });

  it('also where it is cut behind the token', () => {
    expect(kindsIn(gzipSync(json + noise(2_000).toString('hex')).subarray(0, 400))).toContain(
      'raw in gzip',
    );
  });

  it('and where it is is told', () => {
    const found = scanner.scan(Buffer.concat([Buffer.alloc(4_321), Buffer.from(TOKEN)]));
    expect(found).toContainEqual({ kind: 'raw', offset: 4_321 });
  });
});

describe('nothing is seen where nothing is', () => {
  it('in a megabyte of noise, compressed text and somebody else’s values', () => {
    const other = EMAIL.replace('7', '8');
    const bytes = Buffer.concat([
      noise(1_000_000),
      gzipSync(other),
      Buffer.from(other),
      createHash('sha256').update(other).digest(),
    ]);
    expect(scanner.scan(bytes, { isWhole: true })).toEqual([]);
  });

  it.each([0, 1, 3, 4])('in %i bytes', (size) => {
    expect(scanner.scan(Buffer.alloc(size), { isWhole: true })).toEqual([]);
  });

  it('in a canary that is cut: what is not there cannot be read behind the end', () => {
    expect(scanner.scan(Buffer.from(TOKEN.slice(0, 8)))).toEqual([]);
  });

  it('in a keyed hash: that is what an index is', () => {
    const keyed = createHash('sha256').update('key').update(EMAIL).digest();
    expect(scanner.scan(inNoise(keyed))).toEqual([]);
  });
});
