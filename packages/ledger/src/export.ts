// SPDX-License-Identifier: Apache-2.0
// Checking an export offline: a checkpoint, all tiles and bundles of the log as C2SP lays them out, and a
// tenant's bodies with their salts. Every byte of it is attacker-controlled; any changed byte is found,
// and named: what was changed, in which file, at which entry.
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import {
  commitEntry,
  decodeBase64,
  EMPTY_ROOT,
  HASH_SIZE_BYTES,
  isSameBytes,
  toLeafHash,
  toVerified,
  type Verified,
} from './hash.ts';
import { parseNote, type VerifierKey } from './note.ts';
import {
  hashAt,
  listTiles,
  parseEntryBundle,
  TILE_SIZE_BYTES,
  TILE_WIDTH,
  type TileAddress,
  toEdgeRoot,
  toPerfectRoot,
  toTilePath,
} from './tile.ts';

/** Format of the manifest. */
export const EXPORT_FORMAT = 'bailiwick/ledger-export/v1';
/** Files beside the tiles. */
export const EXPORT_FILES = {
  manifest: 'manifest.json',
  checkpoint: 'checkpoint',
  bodies: 'bodies.jsonl',
} as const;
/** Largest log that is checked in one go (its leaves are held in memory, 32 bytes each). */
export const EXPORT_ENTRIES_COUNT_MAX = 50_000_000;

/** Reads an export: a directory, an archive, a bucket. */
export interface ExportReader {
  /** The bytes of a file, or `undefined` when there is none. Paths have forward slashes. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** All files, so that one too many is seen. */
  list(): Promise<readonly string[]>;
}

/** One line of `bodies.jsonl`. */
export interface ExportedBody {
  readonly index: number;
  readonly salt: Uint8Array;
  /** Canonical text. */
  readonly body: string;
}

export interface ExportManifest {
  readonly origin: string;
  readonly size: number;
  /** Whose bodies these are; `undefined` for the cell's own. */
  readonly tenant: string | undefined;
  readonly bodies: number;
}

export type ExportProblemCode =
  | 'checkpoint-invalid'
  | 'file-missing'
  | 'file-unexpected'
  | 'file-malformed'
  | 'root-unreached'
  | 'tile-changed'
  | 'entry-changed'
  | 'body-changed'
  | 'history-changed'
  | 'instant-implausible';

/** One thing that is wrong, and where. */
export interface ExportProblem {
  readonly code: ExportProblemCode;
  readonly path: string;
  /** Position in the log, where one entry can be named. */
  readonly index?: number;
  /** In plain words. */
  readonly because: string;
}

/** What was found. `problems` is empty when everything holds. */
export interface ExportReport {
  readonly origin: string;
  readonly size: number;
  /** Lower-case hex. */
  readonly root: string;
  /** Witnesses whose cosignatures verified. */
  readonly witnesses: readonly string[];
  readonly tilesCount: number;
  readonly bodiesCount: number;
  readonly problems: readonly ExportProblem[];
}

export interface ExportOptions {
  /** The log's key, known from elsewhere: an export cannot vouch for itself. */
  readonly originKey: VerifierKey;
  readonly witnesses?: readonly VerifierKey[];
  /** A checkpoint of this log kept from before: the export must have it as its beginning. */
  readonly earlier?: Uint8Array | string;
  /** Cosigned times of this log that the caller has verified: entries' instants must lie between them. */
  readonly cosigned?: readonly CosignedTime[];
}

/** A witness's word that at this second the log had this size and no larger one was known to it. */
export interface CosignedTime {
  readonly size: number;
  readonly atSeconds: number;
}

/** Clocks differ, and an entry waits for its position: how far an instant may lie outside. */
export const INSTANT_TOLERANCE_SECONDS = 60;

/** Problems kept; what follows is only counted in the last of them. */
const PROBLEMS_COUNT_MAX = 100;

/** The manifest's text. */
export function toManifestText(manifest: ExportManifest): string {
  const { bodies, origin, size, tenant = null } = manifest;
  return `${JSON.stringify({ bodies, format: EXPORT_FORMAT, origin, size, tenant })}\n`;
}

/** A line of `bodies.jsonl`, with its newline. */
export function toBodyLine({ body, index, salt }: ExportedBody): string {
  const encoded = Buffer.from(salt).toString('base64url');
  return `${JSON.stringify({ body, index, salt: encoded })}\n`;
}

/** Reads one line back; anything but the one way to write it gives `undefined`. */
function parseBodyLine(line: Uint8Array): ExportedBody | undefined {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null) return undefined;
  const { body, index, salt } = value as Readonly<Record<string, unknown>>;
  if (typeof body !== 'string' || typeof index !== 'number' || typeof salt !== 'string') {
    return undefined;
  }
  const bytes = decodeBase64(salt, 'base64url');
  if (bytes?.length !== HASH_SIZE_BYTES) return undefined;
  const parsed = { body, index, salt: bytes };
  return isSameBytes(Buffer.from(toBodyLine(parsed)), line) ? parsed : undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const value: unknown = JSON.parse(decoder.decode(bytes));
    return value;
  } catch {
    return undefined; // told to the caller as a malformed line, with its number
  }
}

/** What is wrong with an entry's instant under the cosigned times around it, or nothing. */
function describeInstant(
  { body, index }: ExportedBody,
  cosigned: readonly CosignedTime[],
): string | undefined {
  if (cosigned.length === 0) return undefined;
  const value = parseJson(Buffer.from(body));
  const at =
    typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'string'
      ? parseInstantSeconds(value.at)
      : undefined;
  if (at === undefined) return `entry ${index} has no instant`;
  for (const { size, atSeconds } of cosigned) {
    if (index < size && at > atSeconds + INSTANT_TOLERANCE_SECONDS) {
      return `entry ${index} is dated after a witness had seen it`;
    }
    if (index >= size && at < atSeconds - INSTANT_TOLERANCE_SECONDS) {
      return `entry ${index} is dated before a time at which a witness had not seen it`;
    }
  }
  return undefined;
}

/** Seconds since 1970 of an RFC 3339 instant in UTC, without a clock or `Date` (days_from_civil, Hinnant). */
function parseInstantSeconds(text: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?Z$/.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1)
    .map(Number);
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + dayOfYear;
  const days = era * 146_097 + dayOfEra - 719_468;
  return days * 86_400 + hour * 3_600 + minute * 60 + second;
}

/** The tenant that a canonical body names; `null` when it names none. */
function tenantOf(body: string): string | null | undefined {
  const value = parseJson(Buffer.from(body));
  if (typeof value !== 'object' || value === null) return undefined;
  const { tenant = null } = value as { readonly tenant?: unknown };
  return typeof tenant === 'string' || tenant === null ? tenant : undefined;
}

interface Head {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  readonly isVerified: boolean;
  readonly witnesses: readonly string[];
}

/** Hashes of the whole tree as they follow from the entries: level 0 first, 256 times fewer each. */
function toLevels(commitments: Uint8Array): Uint8Array[] {
  const count = commitments.length / HASH_SIZE_BYTES;
  const leaves = Buffer.alloc(commitments.length);
  for (let index = 0; index < count; index += 1) {
    leaves.set(toLeafHash(hashAt(commitments, index)), index * HASH_SIZE_BYTES);
  }
  const levels: Uint8Array[] = [leaves];
  for (let below: Uint8Array = leaves; below.length >= TILE_SIZE_BYTES; ) {
    const full = Math.floor(below.length / TILE_SIZE_BYTES);
    const level = Buffer.alloc(full * HASH_SIZE_BYTES);
    for (let tile = 0; tile < full; tile += 1) {
      const root = toPerfectRoot(below, { start: tile * TILE_WIDTH, count: TILE_WIDTH });
      level.set(root, tile * HASH_SIZE_BYTES);
    }
    levels.push(level);
    below = level;
  }
  return levels;
}

/** Root of the tree of the first `size` leaves. */
function toRoot(levels: readonly Uint8Array[], size: number): Uint8Array {
  const edge = levels.map((hashes, level) => {
    const end = Math.floor(size / TILE_WIDTH ** level);
    const start = end - (end % TILE_WIDTH);
    return hashes.subarray(start * HASH_SIZE_BYTES, end * HASH_SIZE_BYTES);
  });
  return toEdgeRoot(edge) ?? EMPTY_ROOT;
}

/** Index of the first hash that differs, or -1. */
function findDifference(a: Uint8Array, b: Uint8Array): number {
  for (let index = 0; index * HASH_SIZE_BYTES < Math.max(a.length, b.length); index += 1) {
    if (!isSameBytes(hashAt(a, index), hashAt(b, index))) return index;
  }
  return -1;
}

class ExportInspector {
  readonly #reader: ExportReader;
  readonly #options: ExportOptions;
  readonly #problems: ExportProblem[] = [];
  #bodiesCount = 0;

  constructor(reader: ExportReader, options: ExportOptions) {
    this.#reader = reader;
    this.#options = options;
  }

  async inspect(): Promise<ExportReport> {
    const head = await this.#readHead();
    if (head === undefined) return this.#toReport(undefined, 0);
    const addresses = [...listTiles(head.size)];
    const commitments = await this.#readBundles(head, addresses);
    const tiles = await this.#readTiles(addresses);
    const levels = toLevels(commitments);
    this.#checkTree(head, levels, tiles);
    this.#checkHistory(head, levels);
    await this.#checkBodies(head, commitments);
    await this.#checkFiles(addresses);
    return this.#toReport(head, addresses.length);
  }

  #tell(problem: ExportProblem): void {
    if (this.#problems.length < PROBLEMS_COUNT_MAX) this.#problems.push(problem);
  }

  #toReport(head: Head | undefined, tilesCount: number): ExportReport {
    return {
      origin: head?.origin ?? this.#options.originKey.name,
      size: head?.size ?? 0,
      root: Buffer.from(head?.root ?? []).toString('hex'),
      witnesses: head?.witnesses ?? [],
      tilesCount,
      bodiesCount: this.#bodiesCount,
      problems: this.#problems,
    };
  }

  async #read(path: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#reader.read(path);
    if (bytes === undefined) {
      this.#tell({ code: 'file-missing', path, because: 'the file is not there' });
    }
    return bytes;
  }

  /** With a checkpoint that does not verify the rest is still compared, to say what else is wrong. */
  async #readHead(): Promise<Head | undefined> {
    const path = EXPORT_FILES.checkpoint;
    const note = await this.#read(path);
    if (note === undefined) return undefined;
    try {
      const { originKey: log, witnesses = [] } = this.#options;
      const { origin, size, root, signers } = verifyCheckpoint(note, { log, witnesses });
      const names = signers.filter(({ key }) => key !== log).map(({ key }) => key.name);
      const head = { origin, size, root, isVerified: true, witnesses: names };
      return this.#boundHead(head, path);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      this.#tell({ code: 'checkpoint-invalid', path, because: error.message });
    }
    try {
      const { origin, size, root } = parseCheckpoint(parseNote(note).text);
      return this.#boundHead({ origin, size, root, isVerified: false, witnesses: [] }, path);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      return undefined;
    }
  }

  #boundHead(head: Head, path: string): Head | undefined {
    if (head.size <= EXPORT_ENTRIES_COUNT_MAX) return head;
    this.#tell({ code: 'checkpoint-invalid', path, because: 'the log is too large to check' });
    return undefined;
  }

  async #readBundles(head: Head, addresses: readonly TileAddress[]): Promise<Uint8Array> {
    const bundles = addresses.filter(({ level }) => level === 'entries');
    const files = new Set(await this.#reader.list());
    // A checkpoint that does not verify may claim any size: nothing is allocated for what is not there.
    const isThere = bundles.filter((address) => files.has(toTilePath(address))).length > 0;
    if (!head.isVerified && !isThere) return Buffer.alloc(0);
    const commitments = Buffer.alloc(head.size * HASH_SIZE_BYTES);
    for (const address of bundles) {
      const path = toTilePath(address);
      const bytes = await this.#read(path);
      if (bytes === undefined) continue;
      const entries = this.#parseBundle(bytes, path);
      const isWhole =
        entries.length === address.width &&
        entries.every(({ length }) => length === HASH_SIZE_BYTES);
      if (isWhole) commitments.set(Buffer.concat(entries), address.index * TILE_SIZE_BYTES);
      else {
        const because = `expected ${address.width} entries of 32 bytes`;
        this.#tell({ code: 'file-malformed', path, because });
      }
    }
    return commitments;
  }

  #parseBundle(bytes: Uint8Array, path: string): readonly Uint8Array[] {
    try {
      return parseEntryBundle(bytes);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      this.#tell({ code: 'file-malformed', path, because: error.message });
      return [];
    }
  }

  async #readTiles(addresses: readonly TileAddress[]): Promise<Map<string, Uint8Array>> {
    const tiles = new Map<string, Uint8Array>();
    for (const address of addresses) {
      if (address.level === 'entries') continue;
      const path = toTilePath(address);
      const bytes = await this.#read(path);
      if (bytes === undefined) continue;
      if (bytes.length === address.width * HASH_SIZE_BYTES) tiles.set(path, bytes);
      else {
        const because = `expected ${address.width} hashes of 32 bytes`;
        this.#tell({ code: 'file-malformed', path, because });
      }
    }
    return tiles;
  }

  /** Entries and tiles say the same thing twice; the signed root tells which of the two was changed. */
  #checkTree(
    head: Head,
    levels: readonly Uint8Array[],
    tiles: ReadonlyMap<string, Uint8Array>,
  ): void {
    const derived = toRoot(levels, head.size);
    const areEntriesRight = isSameBytes(derived, head.root);
    const areTilesRight = !areEntriesRight && isSameBytes(toTilesRoot(head.size, tiles), head.root);
    if (!areEntriesRight && !areTilesRight) {
      const because = head.isVerified
        ? 'neither the entries nor the tiles lead to the signed root'
        : 'neither the entries nor the tiles lead to the root that stands here';
      this.#tell({ code: 'root-unreached', path: EXPORT_FILES.checkpoint, because });
    }
    for (const address of listTiles(head.size)) {
      const { level, index, width } = address;
      if (level === 'entries') continue;
      const path = toTilePath(address);
      const tile = tiles.get(path);
      const start = index * TILE_SIZE_BYTES;
      const expected = levels[level]?.subarray(start, start + width * HASH_SIZE_BYTES);
      if (tile === undefined || expected === undefined) continue;
      const at = findDifference(tile, expected);
      if (at >= 0) this.#tellDifference({ address, at, areTilesRight, tiles });
    }
  }

  #tellDifference(options: {
    readonly address: TileAddress;
    readonly at: number;
    readonly areTilesRight: boolean;
    readonly tiles: ReadonlyMap<string, Uint8Array>;
  }): void {
    const { address, at, areTilesRight, tiles } = options;
    const path = toTilePath(address);
    // Above level 0 a difference follows from the one below, unless the tile itself was changed.
    const isTileRight =
      areTilesRight && (address.width < TILE_WIDTH || isUnderParent(address, tiles));
    if (!isTileRight) {
      const because = `hash ${at} is not what the entries below it give`;
      this.#tell({ code: 'tile-changed', path, because });
    } else if (address.level === 0) {
      const index = address.index * TILE_WIDTH + at;
      const bundle = toTilePath({ ...address, level: 'entries' });
      const because = `entry ${index} is not what the signed root commits to`;
      this.#tell({ code: 'entry-changed', path: bundle, index, because });
    }
  }

  #checkHistory(head: Head, levels: readonly Uint8Array[]): void {
    const { earlier, originKey } = this.#options;
    if (earlier === undefined) return;
    const path = EXPORT_FILES.checkpoint;
    try {
      const old = verifyCheckpoint(earlier, { log: originKey });
      const because =
        old.size > head.size
          ? `the log had ${old.size} entries before and has ${head.size} now`
          : `the first ${old.size} entries are not what they were`;
      if (old.size > head.size || !isSameBytes(toRoot(levels, old.size), old.root)) {
        this.#tell({ code: 'history-changed', path, because });
      }
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      const because = `the earlier checkpoint does not verify: ${error.message}`;
      this.#tell({ code: 'history-changed', path, because });
    }
  }

  async #checkBodies(head: Head, commitments: Uint8Array): Promise<void> {
    const manifest = await this.#readManifest(head);
    const path = EXPORT_FILES.bodies;
    const bytes = await this.#read(path);
    if (bytes === undefined) return;
    let number = 0;
    let last = -1;
    for (let start = 0; start < bytes.length; ) {
      const newline = bytes.indexOf(0x0a, start);
      const end = newline < 0 ? bytes.length : newline + 1;
      number += 1;
      const exported = parseBodyLine(bytes.subarray(start, end));
      start = end;
      if (exported === undefined) {
        const because = `line ${number} is not written as an export writes it`;
        this.#tell({ code: 'file-malformed', path, because });
        continue;
      }
      const { index } = exported;
      const because = describeBody(exported, { commitments, last, manifest });
      if (because !== undefined) {
        this.#tell({ code: 'body-changed', path, index, because: `line ${number}: ${because}` });
      } else {
        this.#bodiesCount += 1;
        const doubt = describeInstant(exported, this.#options.cosigned ?? []);
        if (doubt !== undefined) {
          this.#tell({ code: 'instant-implausible', path, index, because: doubt });
        }
      }
      last = Math.max(last, index);
    }
    if (manifest !== undefined && manifest.bodies !== number) {
      const because = `the manifest tells of ${manifest.bodies} bodies, here are ${number}`;
      this.#tell({ code: 'file-malformed', path, because });
    }
  }

  async #readManifest(head: Head): Promise<ExportManifest | undefined> {
    const path = EXPORT_FILES.manifest;
    const bytes = await this.#read(path);
    if (bytes === undefined) return undefined;
    const value = parseJson(bytes);
    const { bodies, tenant = null } = (value ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof bodies === 'number' && (typeof tenant === 'string' || tenant === null)) {
      const { origin, size } = head;
      const manifest = { origin, size, bodies, tenant: tenant ?? undefined };
      if (isSameBytes(Buffer.from(toManifestText(manifest)), bytes)) return manifest;
    }
    const because = 'it is not the manifest of this checkpoint';
    this.#tell({ code: 'file-malformed', path, because });
    return undefined;
  }

  async #checkFiles(addresses: readonly TileAddress[]): Promise<void> {
    const known = new Set<string>([...Object.values(EXPORT_FILES), ...addresses.map(toTilePath)]);
    for (const path of await this.#reader.list()) {
      if (known.has(path)) continue;
      this.#tell({ code: 'file-unexpected', path, because: 'an export has no such file' });
    }
  }
}

/** What is wrong with a body, or nothing. */
function describeBody(
  exported: ExportedBody,
  context: {
    readonly commitments: Uint8Array;
    readonly last: number;
    readonly manifest: ExportManifest | undefined;
  },
): string | undefined {
  const { body, index, salt } = exported;
  const { commitments, last, manifest } = context;
  if (!Number.isSafeInteger(index) || index < 0 || index * HASH_SIZE_BYTES >= commitments.length) {
    return 'the index is not within the log';
  }
  if (!isSameBytes(commitEntry(salt, body), hashAt(commitments, index))) {
    return `body and salt are not what entry ${index} commits to`;
  }
  if (index <= last) return 'bodies must stand in the order of the log, each once';
  if (manifest !== undefined && tenantOf(body) !== (manifest.tenant ?? null)) {
    return `entry ${index} is not of the tenant that the manifest names`;
  }
  return undefined;
}

/** Root as the last tiles of each level give it. */
function toTilesRoot(size: number, tiles: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const edge: Uint8Array[] = [];
  for (let level = 0, count = size; count > 0; level += 1, count = Math.floor(count / TILE_WIDTH)) {
    const width = count % TILE_WIDTH;
    const address = { level, index: Math.floor(count / TILE_WIDTH), width };
    edge.push(
      width === 0 ? new Uint8Array(0) : (tiles.get(toTilePath(address)) ?? new Uint8Array(0)),
    );
  }
  return toEdgeRoot(edge) ?? EMPTY_ROOT;
}

/** True when a full tile gives the hash that stands for it one level up. */
function isUnderParent(address: TileAddress, tiles: ReadonlyMap<string, Uint8Array>): boolean {
  const tile = tiles.get(toTilePath(address));
  const level = Number(address.level) + 1;
  const index = Math.floor(address.index / TILE_WIDTH);
  const at = address.index % TILE_WIDTH;
  for (let width = TILE_WIDTH; width > at; width -= 1) {
    const parent = tiles.get(toTilePath({ level, index, width }));
    if (parent === undefined || tile === undefined) continue;
    const root = toPerfectRoot(tile, { start: 0, count: TILE_WIDTH });
    return isSameBytes(root, hashAt(parent, at));
  }
  return false;
}

/** Looks at everything in an export and tells what is wrong; content never makes it throw. */
export function inspectExport(reader: ExportReader, options: ExportOptions): Promise<ExportReport> {
  return new ExportInspector(reader, options).inspect();
}

/** An export that is not what the log signed. `problems` names every place. */
export class ExportError extends LedgerError {
  readonly problems: readonly ExportProblem[];

  constructor(problems: readonly ExportProblem[]) {
    const [first] = problems;
    const where = first === undefined ? '' : `\`${first.path}\`: ${first.because}`;
    super('LEDGER_EXPORT_INVALID', where, { details: { problemsCount: problems.length } });
    this.problems = problems;
  }
}

/**
 * Verifies an export: the checkpoint's signature, the whole tree under it, and every body.
 *
 * Proven: these entries, in this order, are what the log signed, and the bodies are theirs. Only stated:
 * that all of the tenant's bodies are here, and that everything was logged.
 *
 * @throws {ExportError} `LEDGER_EXPORT_INVALID` with every problem
 */
export async function verifyExport(
  reader: ExportReader,
  options: ExportOptions,
): Promise<Verified<ExportReport>> {
  const report = await inspectExport(reader, options);
  if (report.problems.length > 0) throw new ExportError(report.problems);
  return toVerified(report);
}
