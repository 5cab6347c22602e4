// SPDX-License-Identifier: Apache-2.0
// Looks for many patterns in one pass over bytes, and inside whatever is compressed in them. What it does not
// look into: encryption, formats of its own (PostgreSQL's page compression among them), images.
import {
  brotliDecompressSync,
  constants,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import type { Pattern } from './patterns.ts';

/** A canary, where and how. */
export interface Finding {
  readonly kind: string;
  readonly offset: number;
}

const DEPTH_MAX = 2;
const OUTPUT_SIZE_BYTES_MAX = 4 * 1024 * 1024;
const INPUT_SIZE_BYTES_MAX = 4 * 1024 * 1024;
/** More of one kind say nothing more. */
const FINDINGS_COUNT_MAX = 20;

export interface Scanner {
  /** Finds what is in these bytes; `isWhole` also tries them as a compressed whole. */
  scan(bytes: Buffer, options?: { readonly isWhole?: boolean }): readonly Finding[];
}

/** Prepares a scanner for patterns, each of at least four bytes. */
export function createScanner(patterns: readonly Pattern[]): Scanner {
  const byStart = new Map<number, Pattern[]>();
  const isStart = new Uint8Array(65_536);
  for (const pattern of patterns) {
    if (pattern.bytes.length < 4) throw new Error('assertion failed: a pattern has four bytes');
    const start = pattern.bytes.readUInt32LE(0);
    byStart.set(start, [...(byStart.get(start) ?? []), pattern]);
    isStart[pattern.bytes.readUInt16LE(0)] = 1;
  }
  const scan = (bytes: Buffer, depth: number, isWhole: boolean): Finding[] => {
    const findings: Finding[] = [];
    const add = (finding: Finding): void => {
      if (findings.length < FINDINGS_COUNT_MAX) findings.push(finding);
    };
    const last = bytes.length - 4;
    for (let at = 0; at <= last; at += 1) {
      const two = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
      if (isStart[two] === 1) {
        for (const { kind, bytes: wanted } of byStart.get(bytes.readUInt32LE(at)) ?? []) {
          const end = at + wanted.length;
          const isThere =
            end <= bytes.length && bytes.compare(wanted, 0, wanted.length, at, end) === 0;
          if (isThere) add({ kind, offset: at });
        }
      }
      const packed = depth < DEPTH_MAX ? findCompression(bytes, at) : undefined;
      if (packed !== undefined) look(bytes.subarray(at, at + INPUT_SIZE_BYTES_MAX), packed, at);
    }
    function look(part: Buffer, name: Compression, offset: number): void {
      const opened = decompress(part, name);
      if (opened === undefined || opened.length === 0) return;
      for (const { kind } of scan(opened, depth + 1, false))
        add({ kind: `${kind} in ${name}`, offset });
    }
    if (isWhole && depth < DEPTH_MAX) {
      for (const name of ['brotli', 'deflate-raw'] as const) look(bytes, name, 0);
    }
    return findings;
  };
  return { scan: (bytes, { isWhole = false } = {}) => scan(bytes, 0, isWhole) };
}

type Compression = 'gzip' | 'deflate' | 'zstd' | 'brotli' | 'deflate-raw';

/** By the first bytes: RFC 1952 §2.3.1, RFC 1950 §2.2, RFC 8878 §3.1.1. */
function findCompression(bytes: Buffer, at: number): Compression | undefined {
  const [one, two] = [bytes[at], bytes[at + 1] ?? 0];
  if (one === 0x1f) return two === 0x8b && bytes[at + 2] === 8 ? 'gzip' : undefined;
  if (one === 0x78) return (0x7800 | two) % 31 === 0 && (two & 0x20) === 0 ? 'deflate' : undefined;
  if (one === 0x28) {
    return two === 0xb5 && bytes[at + 2] === 0x2f && bytes[at + 3] === 0xfd ? 'zstd' : undefined;
  }
  return undefined;
}

/** As much as opens; what is cut off or goes on behind it does not matter. */
function decompress(bytes: Buffer, name: Compression): Buffer | undefined {
  const limit = { maxOutputLength: OUTPUT_SIZE_BYTES_MAX };
  const lenient = { ...limit, finishFlush: constants.Z_SYNC_FLUSH };
  try {
    switch (name) {
      case 'gzip':
        // The body by itself: whatever stands behind it would be refused otherwise.
        return inflateRawSync(bytes.subarray(gzipHeaderSize(bytes)), lenient);
      case 'deflate':
        return inflateSync(bytes, lenient);
      case 'deflate-raw':
        return inflateRawSync(bytes, lenient);
      case 'zstd':
        return zstdDecompressSync(bytes, limit);
      case 'brotli':
        return brotliDecompressSync(bytes, {
          ...limit,
          finishFlush: constants.BROTLI_OPERATION_FLUSH,
        });
    }
  } catch {
    // Not compressed at all, mostly: two bytes look like it.
    return undefined;
  }
}

/** RFC 1952 §2.3: ten bytes, then what the flags say. */
function gzipHeaderSize(bytes: Buffer): number {
  const flags = bytes[3] ?? 0;
  let at = 10;
  if ((flags & 4) !== 0) at += 2 + bytes.readUInt16LE(at);
  for (const flag of [8, 16]) if ((flags & flag) !== 0) at = bytes.indexOf(0, at) + 1;
  return (flags & 2) !== 0 ? at + 2 : at;
}
