// SPDX-License-Identifier: Apache-2.0
// Everything that a canary can look like in bytes. All canaries of a drill have one random token in common,
// so that it is enough to know the token's guises; a hash has to be known for each canary as a whole.
import { createHash } from 'node:crypto';

/** A guise of a canary. */
export interface Pattern {
  readonly kind: string;
  readonly bytes: Buffer;
}

const HASHES = ['md5', 'sha1', 'sha256', 'sha512', 'sha3-256', 'blake2b512'] as const;

/** Base64 of text that stands at any offset of something larger: three alignments, edges left out. */
function toBase64Alignments(text: string): readonly string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.concat([Buffer.alloc(shift), Buffer.from(text)]).toString('base64');
    // The first characters depend on what stands before, the last on what stands behind.
    const from = shift === 0 ? 0 : shift + 1;
    const to = Math.floor(((shift + text.length) * 8) / 6);
    return encoded.slice(from, to);
  });
}

const reverse = (text: string): string => [...text].reverse().join('');
const toUrl = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const toJson = (text: string): string =>
  [...text].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

/** The guises of a token. */
export function toTokenPatterns(token: string): readonly Pattern[] {
  const hex = Buffer.from(token).toString('hex');
  const utf16 = Buffer.from(token, 'utf16le');
  const texts: readonly (readonly [string, string])[] = [
    ['raw', token],
    ['lower case', token.toLowerCase()],
    ['upper case', token.toUpperCase()],
    ['reversed', reverse(token)],
    ['hex', hex],
    ['hex', hex.toUpperCase()],
    ['url-escaped', toUrl(token)],
    ['url-escaped', toUrl(token).toUpperCase()],
    ['json-escaped', toJson(token)],
    ['json-escaped', toJson(token).toUpperCase().replaceAll('\\U', '\\u')],
    ...toBase64Alignments(token).map((text) => ['base64', text] as const),
    ...toBase64Alignments(reverse(token)).map((text) => ['base64 of reversed', text] as const),
    ...toBase64Alignments(hex).map((text) => ['base64 of hex', text] as const),
  ];
  const patterns = texts.map(([kind, text]) => ({ kind, bytes: Buffer.from(text) }));
  patterns.push({ kind: 'utf-16', bytes: utf16 });
  patterns.push({ kind: 'utf-16', bytes: Buffer.from(utf16).swap16() });
  return unique(patterns);
}

/** Unkeyed hashes of whole values: whoever has a list of values can try them all. */
export function toHashPatterns(values: readonly string[]): readonly Pattern[] {
  const patterns: Pattern[] = [];
  for (const value of values) {
    for (const form of new Set([value, value.toLowerCase(), value.trim().toLowerCase()])) {
      for (const name of HASHES) {
        const digest = createHash(name).update(form).digest();
        const hex = digest.toString('hex');
        const kind = `unkeyed ${name}`;
        // A part of a hash is as telling as all of it; a few bytes less leave room for truncation.
        patterns.push({ kind, bytes: digest.subarray(0, 12) });
        patterns.push({ kind, bytes: Buffer.from(hex.slice(0, 24)) });
        patterns.push({ kind, bytes: Buffer.from(hex.slice(0, 24).toUpperCase()) });
        patterns.push({ kind, bytes: Buffer.from(digest.toString('base64').slice(0, 16)) });
        patterns.push({ kind, bytes: Buffer.from(digest.toString('base64url').slice(0, 16)) });
      }
    }
  }
  return unique(patterns);
}

function unique(patterns: readonly Pattern[]): Pattern[] {
  const seen = new Set<string>();
  return patterns.filter(({ bytes }) => seen.size !== seen.add(bytes.toString('hex')).size);
}
