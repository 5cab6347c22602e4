// SPDX-License-Identifier: Apache-2.0
// Signed notes (c2sp.org/signed-note) and cosignatures (c2sp.org/tlog-cosignature): reading and checking.
// Signing is elsewhere (`signer.ts`). A note's text means nothing until a known key's signature verified.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { LedgerError } from './errors.ts';
import { decodeBase64, sha256, toVerified, type Verified } from './hash.ts';

/** Longest note read. */
export const NOTE_SIZE_BYTES_MAX = 65_536;
/** Most signature lines read (the specification asks for at least 16). */
export const NOTE_SIGNATURES_COUNT_MAX = 64;

/** Signature types of c2sp.org/signed-note: Ed25519 over the text; Ed25519 cosignature with a time. */
export const SIGNATURE_TYPES = { ed25519: 0x01, cosignature: 0x04 } as const;
export type SignatureType = (typeof SIGNATURE_TYPES)[keyof typeof SIGNATURE_TYPES];

/** A key that signatures are checked with. */
export interface VerifierKey {
  readonly name: string;
  /** First four bytes of SHA-256(name ‖ newline ‖ type ‖ public key), big-endian. */
  readonly id: number;
  readonly type: SignatureType;
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
  readonly key: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly id: number;
  /** What follows the four bytes of the key id. */
  readonly bytes: Uint8Array;
}

/** A note taken apart and not yet believed. */
export interface SignedNote {
  /** With its final newline. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A signature that verified. */
export interface Signer {
  readonly key: VerifierKey;
  /** Cosignatures only: when it was made, seconds since 1970. */
  readonly atSeconds?: number;
}

/** True for names without Unicode spaces and plus signs. */
export function isKeyName(name: string): boolean {
  return name.length > 0 && name.length <= 255 && !/[\s\u0085+]/u.test(name);
}

/** Key id of an Ed25519 key under this name and signature type. */
export function toKeyId(name: string, type: SignatureType, publicKey: Uint8Array): number {
  const head = Buffer.from(`${name}\n`, 'utf8');
  return sha256(Buffer.concat([head, Buffer.of(type), publicKey])).readUInt32BE(0);
}

// RFC 8410: SubjectPublicKeyInfo of an Ed25519 key is this prefix and the 32 bytes.
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** Makes a verifier key of 32 public bytes. @throws {LedgerError} `LEDGER_KEY_INVALID` */
export function createVerifierKey(options: {
  readonly name: string;
  readonly type: SignatureType;
  readonly publicKey: Uint8Array;
}): VerifierKey {
  const { name, type, publicKey } = options;
  if (!isKeyName(name)) refuseKey('key name is empty or has a space or a plus sign');
  if (publicKey.length !== 32) refuseKey('an ed25519 public key has 32 bytes');
  const der = Buffer.concat([SPKI_PREFIX, publicKey]);
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return { name, id: toKeyId(name, type, publicKey), type, publicKey, key };
  } catch (cause) {
    throw new LedgerError('LEDGER_KEY_INVALID', 'not an ed25519 public key', { cause });
  }
}

/**
 * Reads a vkey: `<name>+<hex key id>+<base64 of type and public key>`; types 0x01 and 0x04.
 *
 * @throws {LedgerError} `LEDGER_KEY_INVALID`
 */
export function parseVerifierKey(text: string): VerifierKey {
  const match = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(text);
  const [, name = '', id = '', encoded = ''] = match ?? [];
  const bytes = decodeBase64(encoded);
  if (match === null || bytes === undefined) {
    refuseKey('expected a name, eight hex digits and base64 with plus signs between');
  }
  const type = bytes[0];
  if (type !== SIGNATURE_TYPES.ed25519 && type !== SIGNATURE_TYPES.cosignature) {
    refuseKey('expected signature type 0x01 (ed25519) or 0x04 (ed25519 cosignature)');
  }
  const key = createVerifierKey({ name, type, publicKey: bytes.subarray(1) });
  if (key.id !== Number.parseInt(id, 16)) refuseKey('key id does not belong to name and key');
  return key;
}

/** A vkey's text. */
export function toVerifierKeyText(key: Omit<VerifierKey, 'key'>): string {
  const material = Buffer.concat([Buffer.of(key.type), key.publicKey]).toString('base64');
  return `${key.name}+${key.id.toString(16).padStart(8, '0')}+${material}`;
}

function refuseKey(problem: string): never {
  throw new LedgerError('LEDGER_KEY_INVALID', problem);
}

function refuseNote(problem: string): never {
  throw new LedgerError('LEDGER_NOTE_INVALID', problem);
}

/** Takes a signed note apart. @throws {LedgerError} `LEDGER_NOTE_INVALID` */
export function parseNote(note: Uint8Array | string): SignedNote {
  const bytes = typeof note === 'string' ? Buffer.from(note, 'utf8') : note;
  if (bytes.length > NOTE_SIZE_BYTES_MAX) refuseNote('note is too long');
  const all = decodeText(bytes);
  const split = all.lastIndexOf('\n\n');
  if (split < 0) refuseNote('expected a text, an empty line and signatures');
  const text = all.slice(0, split + 1);
  const rest = all.slice(split + 2);
  if (rest === '' || !rest.endsWith('\n')) refuseNote('expected at least one signature line');
  const lines = rest.slice(0, -1).split('\n');
  if (lines.length > NOTE_SIGNATURES_COUNT_MAX) refuseNote('note has too many signatures');
  return { text, signatures: lines.map(parseSignatureLine) };
}

function decodeText(bytes: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification names them.
    if (/[\u0000-\u0009\u000b-\u001f]/.test(text)) refuseNote('note has a control character');
    return text;
  } catch (cause) {
    if (cause instanceof LedgerError) throw cause;
    throw new LedgerError('LEDGER_NOTE_INVALID', 'note is not UTF-8', { cause });
  }
}

/** Reads `— <name> <base64>`. @throws {LedgerError} `LEDGER_NOTE_INVALID` */
export function parseSignatureLine(line: string): NoteSignature {
  const [, name = '', encoded = ''] = /^\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)$/.exec(line) ?? [];
  const bytes = decodeBase64(encoded);
  if (!isKeyName(name) || bytes === undefined || bytes.length < 5) {
    refuseNote('expected an em dash, a key name and a base64 signature');
  }
  return { name, id: bytes.readUInt32BE(0), bytes: bytes.subarray(4) };
}

/** A signature's line, with its newline. */
export function toSignatureLine({ name, id, bytes }: NoteSignature): string {
  const encoded = Buffer.alloc(4 + bytes.length);
  encoded.writeUInt32BE(id);
  encoded.set(bytes, 4);
  return `\u2014 ${name} ${encoded.toString('base64')}\n`;
}

/** What a cosignature of this second signs (c2sp.org/tlog-cosignature, "Ed25519 signed message"). */
export function toCosignedMessage(text: string, atSeconds: number): string {
  return `cosignature/v1\ntime ${atSeconds}\n${text}`;
}

function checkSignature(text: string, signature: NoteSignature, key: VerifierKey): Signer {
  if (key.type === SIGNATURE_TYPES.ed25519) {
    const isValid = verify(null, Buffer.from(text, 'utf8'), key.key, signature.bytes);
    return isValid ? { key } : refuseSignature(key);
  }
  if (signature.bytes.length !== 72) refuseSignature(key);
  const bytes = Buffer.from(signature.bytes);
  const atSeconds = Number(bytes.readBigUInt64BE(0));
  if (!Number.isSafeInteger(atSeconds)) refuseSignature(key);
  const message = Buffer.from(toCosignedMessage(text, atSeconds), 'utf8');
  return verify(null, message, key.key, bytes.subarray(8))
    ? { key, atSeconds }
    : refuseSignature(key);
}

function refuseSignature(key: VerifierKey): never {
  throw new LedgerError(
    'LEDGER_SIGNATURE_INVALID',
    `signature of \`${key.name}\` does not verify`,
    {
      details: { key: key.name },
    },
  );
}

/**
 * Verifies every signature of a known key; unknown keys are passed over.
 *
 * @throws {LedgerError} `LEDGER_NOTE_INVALID`; `LEDGER_SIGNATURE_INVALID` when a known key's signature
 * does not verify; `LEDGER_NOTE_UNSIGNED` when there is none.
 */
export function verifyNote(
  note: SignedNote,
  keys: readonly VerifierKey[],
): Verified<{ readonly text: string; readonly signers: readonly Signer[] }> {
  const signers: Signer[] = [];
  for (const signature of note.signatures) {
    const key = keys.find(({ name, id }) => name === signature.name && id === signature.id);
    if (key !== undefined) signers.push(checkSignature(note.text, signature, key));
  }
  if (signers.length === 0) {
    throw new LedgerError('LEDGER_NOTE_UNSIGNED', 'no signature of a known key on the note');
  }
  return toVerified({ text: note.text, signers });
}
