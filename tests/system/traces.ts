// SPDX-License-Identifier: Apache-2.0
// Looks for values in bytes, in the shapes in which a value leaks: as it is, in other encodings of
// characters, in base64 at each alignment, in hex, escaped for a URL or for JSON. Built apart from the
// searcher of the control plane's guard, so that the two do not share a mistake.

/** A shape of a value. */
export interface Needle {
  readonly bytes: Buffer;
  /** Position of the value in what was given. */
  readonly valueIndex: number;
  readonly form: string;
}

/** Shorter values, and shorter shapes of them, are in any bytes by chance. */
export const VALUE_LENGTH_MIN = 6;
const PREFIX_SIZE = 4;
const FILTER_BITS = 20;

/** The characters of base64 that do not depend on what stands before and behind. */
function toBase64Cores(bytes: Buffer): readonly Buffer[] {
  return [0, 1, 2].flatMap((shift) => {
    const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
    const text = padded.subarray(0, padded.length - (padded.length % 3)).toString('base64');
    const core = shift === 0 ? text : text.slice(4);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')].map((one) => Buffer.from(one));
  });
}

const toJsonEscapes = (value: string): string =>
  [...value]
    .flatMap((sign) => sign.split(''))
    .map((unit) =>
      unit.charCodeAt(0) < 128 ? unit : `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
    .join('');

const isLatin = (value: string): boolean =>
  [...value].every((sign) => (sign.codePointAt(0) ?? 0) < 256);

/** Few digits that any hash spells by chance say nothing: `C000123` in lower case. */
const isChance = (bytes: Buffer): boolean =>
  bytes.length < 12 && /^[0-9a-f]+$/.test(bytes.toString('latin1'));

/** All shapes of a value. */
export function toNeedles(value: string, valueIndex: number): readonly Needle[] {
  const utf8 = Buffer.from(value, 'utf8');
  const utf16 = Buffer.from(value, 'utf16le');
  const url = encodeURIComponent(value);
  const hex = utf8.toString('hex');
  const forms: readonly (readonly [form: string, bytes: Buffer])[] = [
    ['plain', utf8],
    ['lower', Buffer.from(value.toLowerCase(), 'utf8')],
    ['upper', Buffer.from(value.toUpperCase(), 'utf8')],
    ['decomposed', Buffer.from(value.normalize('NFD'), 'utf8')],
    ['unmarked', Buffer.from(value.normalize('NFD').replaceAll(/\p{M}/gu, ''), 'utf8')],
    ['latin1', isLatin(value) ? Buffer.from(value, 'latin1') : utf8],
    ['utf16le', utf16],
    ['utf16be', Buffer.from(utf16).swap16()],
    ['hex', Buffer.from(hex)],
    ['hex', Buffer.from(hex.toUpperCase())],
    ['url', Buffer.from(url)],
    ['url', Buffer.from(url.replaceAll('%20', '+'))],
    ['json', Buffer.from(toJsonEscapes(value))],
    ...toBase64Cores(utf8).map((core) => ['base64', core] as const),
  ];
  const seen = new Set<string>();
  return forms.flatMap(([form, bytes]) => {
    const key = bytes.toString('latin1');
    if (bytes.length < VALUE_LENGTH_MIN || seen.has(key) || isChance(bytes)) return [];
    seen.add(key);
    return [{ bytes, valueIndex, form }];
  });
}

/** Finds shapes of values in bytes; however many values, the bytes are read once. */
export interface Searcher {
  readonly needlesCount: number;
  /** Shapes that occur; each once. */
  find(bytes: Uint8Array): readonly Needle[];
}

/** Makes a searcher for values; the short ones are refused rather than passed over. */
export function createSearcher(values: readonly string[]): Searcher {
  const index = new Map<number, Needle[]>();
  const filter = new Uint8Array(1 << FILTER_BITS);
  const toSlot = (prefix: number): number =>
    (Math.imul(prefix, 0x9e3779b1) >>> 0) >>> (32 - FILTER_BITS);
  let needlesCount = 0;
  for (const [valueIndex, value] of values.entries()) {
    if (value.length < VALUE_LENGTH_MIN) throw new Error('a value is too short to look for');
    for (const needle of toNeedles(value, valueIndex)) {
      const prefix = needle.bytes.readUInt32LE(0);
      const group = index.get(prefix);
      if (group === undefined) index.set(prefix, [needle]);
      else group.push(needle);
      filter[toSlot(prefix)] = 1;
      needlesCount += 1;
    }
  }
  return {
    needlesCount,
    find(bytes) {
      const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      const found = new Set<Needle>();
      if (buffer.length < PREFIX_SIZE) return [];
      let prefix = buffer.readUInt32LE(0);
      for (let at = 0; ; at += 1) {
        if (filter[toSlot(prefix)] === 1) {
          for (const needle of index.get(prefix >>> 0) ?? []) {
            const { length } = needle.bytes;
            if (buffer.subarray(at, at + length).equals(needle.bytes)) found.add(needle);
          }
        }
        const next = buffer[at + PREFIX_SIZE];
        if (next === undefined) return [...found];
        prefix = (prefix >>> 8) | (next << 24);
      }
    },
  };
}
