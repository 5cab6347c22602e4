// SPDX-License-Identifier: Apache-2.0
// DSSE v1 envelopes with Ed25519: what the control plane signs for cells and routers, and what people
// sign to approve. Only keys pinned by the verifier count; a `keyid` is a hint and never trusted.
// Deliberately absent: other algorithms, certificates, and any way to read a payload unverified.
// See https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { assert, CodedError } from '@bailiwick/kernel';

/** Codes of envelopes: not one, or not signed by enough of the pinned keys. */
export type DsseErrorCode = 'KEYS_DSSE_MALFORMED' | 'KEYS_DSSE_UNTRUSTED';

/** A failure to read or to verify an envelope. */
export class DsseError extends CodedError<DsseErrorCode> {}

/** Most signatures that one envelope carries. */
export const DSSE_SIGNATURES_COUNT_MAX = 16;
/** Largest payload in bytes. */
export const DSSE_PAYLOAD_SIZE_BYTES_MAX: number = 8 * 1024 * 1024;
const PAYLOAD_TYPE_LENGTH_MAX = 127;
const KEY_ID_LENGTH_MAX = 128;
const SIGNATURE_SIZE_BYTES = 64;

/** One signature; `keyid` is an unauthenticated hint. */
export interface DsseSignature {
  readonly keyid: string;
  /** Standard base64 of the 64 bytes. */
  readonly sig: string;
}

/** An envelope as it travels: JSON with standard base64. */
export interface DsseEnvelope {
  readonly payloadType: string;
  /** Standard base64. */
  readonly payload: string;
  readonly signatures: readonly DsseSignature[];
}

/** Who signs. */
export interface DsseSigner {
  readonly keyId: string;
  readonly privateKey: KeyObject;
}

/** A key that the verifier pinned beforehand. */
export interface DssePinnedKey {
  readonly keyId: string;
  readonly publicKey: KeyObject;
}

/** What came out of `verifyDsse`: the exact bytes that were signed and the pinned keys that did. */
export interface VerifiedDsse {
  readonly payloadType: string;
  readonly payload: Buffer;
  /** Ids of the distinct pinned keys with a good signature, as the verifier knows them. */
  readonly keyIds: readonly string[];
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function refuse(problem: string): never {
  throw new DsseError('KEYS_DSSE_MALFORMED', problem);
}

/** The pre-authentication encoding of DSSE v1: lengths in front, so no two inputs give the same bytes. */
export function encodePae(payloadType: string, payload: Uint8Array): Buffer {
  const type = Buffer.from(payloadType, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} `),
    type,
    Buffer.from(` ${payload.length} `),
    payload,
  ]);
}

/** The 32 raw bytes of an Ed25519 public key. */
function toRawPublicKey(key: KeyObject): Buffer {
  assert(key.asymmetricKeyType === 'ed25519', 'dsse keys are ed25519');
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ type: 'spki', format: 'der' });
  // RFC 8410 §4: the key is the last 32 bytes of the 44-byte SubjectPublicKeyInfo.
  return der.subarray(der.length - 32);
}

/** An Ed25519 key's id: hex of the first 16 bytes of SHA-256('bailiwick/key-id/v1\0' ‖ public key). */
export function toDsseKeyId(key: KeyObject): string {
  const hash = createHash('sha256').update('bailiwick/key-id/v1\0').update(toRawPublicKey(key));
  return hash.digest('hex').slice(0, 32);
}

/** The text form of an Ed25519 public key: standard base64 of its 32 bytes. */
export function toPublicKeyText(key: KeyObject): string {
  return toRawPublicKey(key).toString('base64');
}

/**
 * Reads the text form of an Ed25519 public key into a key that can be pinned.
 *
 * @throws {DsseError} `KEYS_DSSE_MALFORMED`
 */
export function parsePinnedKey(text: string): DssePinnedKey {
  const raw = decodeBase64(text);
  if (raw === undefined || raw.length !== 32) refuse('expected base64 of a 32-byte ed25519 key');
  // RFC 8410 §4: SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING }.
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]);
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' });
  return { keyId: toDsseKeyId(publicKey), publicKey };
}

/** A signer named by its own key's id. */
export function toDsseSigner(privateKey: KeyObject): DsseSigner {
  return { keyId: toDsseKeyId(privateKey), privateKey };
}

/** Signs a payload with each signer. */
export function signDsse(
  message: { readonly payloadType: string; readonly payload: Uint8Array },
  signers: readonly DsseSigner[],
): DsseEnvelope {
  const { payloadType, payload } = message;
  assert(signers.length > 0, 'an envelope has a signature');
  assert(signers.length <= DSSE_SIGNATURES_COUNT_MAX, 'an envelope has few signatures');
  assert(payload.length <= DSSE_PAYLOAD_SIZE_BYTES_MAX, 'a payload is small enough to be verified');
  assert(
    payloadType.length > 0 && payloadType.length <= PAYLOAD_TYPE_LENGTH_MAX,
    'a type is short',
  );
  const pae = encodePae(payloadType, payload);
  const signatures = signers.map(({ keyId, privateKey }) => {
    assert(privateKey.asymmetricKeyType === 'ed25519', 'dsse keys are ed25519');
    return { keyid: keyId, sig: sign(null, pae, privateKey).toString('base64') };
  });
  return { payloadType, payload: Buffer.from(payload).toString('base64'), signatures };
}

/** Adds a signature beside those that are there: another person approves the same bytes. */
export function addDsseSignature(envelope: DsseEnvelope, signer: DsseSigner): DsseEnvelope {
  const { payloadType } = envelope;
  const payload = Buffer.from(envelope.payload, 'base64');
  const added = signDsse({ payloadType, payload }, [signer]);
  const signatures = [...envelope.signatures, ...added.signatures];
  assert(signatures.length <= DSSE_SIGNATURES_COUNT_MAX, 'an envelope has few signatures');
  return { ...envelope, signatures };
}

function decodeBase64(text: string): Buffer | undefined {
  if (!BASE64.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  // SECURITY: one text per value; unused bits of the last character must be zero (RFC 4648 §3.5).
  return bytes.toString('base64') === text ? bytes : undefined;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Reads the shape of an envelope, without verifying anything. All of `value` is attacker-controlled.
 *
 * @throws {DsseError} `KEYS_DSSE_MALFORMED`
 */
export function parseDsse(value: unknown): DsseEnvelope {
  if (!isRecord(value)) refuse('expected an object');
  const { payloadType, payload, signatures } = value;
  if (typeof payloadType !== 'string' || payloadType === '') refuse('expected a `payloadType`');
  if (payloadType.length > PAYLOAD_TYPE_LENGTH_MAX) refuse('`payloadType` is too long');
  if (typeof payload !== 'string') refuse('expected a base64 `payload`');
  if (payload.length > Math.ceil(DSSE_PAYLOAD_SIZE_BYTES_MAX / 3) * 4)
    refuse('payload is too long');
  if (decodeBase64(payload) === undefined) refuse('`payload` is not standard base64');
  if (!Array.isArray(signatures)) refuse('expected `signatures`');
  if (signatures.length < 1 || signatures.length > DSSE_SIGNATURES_COUNT_MAX) {
    refuse('expected one to sixteen signatures');
  }
  return { payloadType, payload, signatures: signatures.map(parseSignature) };
}

function parseSignature(value: unknown): DsseSignature {
  if (!isRecord(value)) refuse('a signature is an object');
  const { keyid = '', sig } = value;
  if (typeof keyid !== 'string' || keyid.length > KEY_ID_LENGTH_MAX)
    refuse('`keyid` is not a text');
  if (typeof sig !== 'string') refuse('`sig` is not base64');
  const bytes = decodeBase64(sig);
  if (bytes === undefined) refuse('`sig` is not base64');
  if (bytes.length !== SIGNATURE_SIZE_BYTES) refuse('`sig` does not have 64 bytes');
  return { keyid, sig };
}

/**
 * Verifies an envelope of exactly this type against pinned keys.
 *
 * `threshold` (default 1) counts distinct public keys: one person who signs twice, or one key pinned
 * under two names, is one. Signatures by keys that are not pinned are ignored.
 *
 * @throws {DsseError} `KEYS_DSSE_MALFORMED` when it is not an envelope of this type,
 *   `KEYS_DSSE_UNTRUSTED` when fewer pinned keys than `threshold` signed these bytes.
 */
export function verifyDsse(
  value: unknown,
  options: {
    readonly payloadType: string;
    readonly keys: readonly DssePinnedKey[];
    readonly threshold?: number;
  },
): VerifiedDsse {
  const { payloadType, keys, threshold = 1 } = options;
  assert(Number.isInteger(threshold) && threshold >= 1, 'a threshold is at least one');
  const envelope = parseDsse(value);
  // SECURITY: the type is part of what is signed; without this a statement of one kind could pass as another.
  if (envelope.payloadType !== payloadType) {
    throw new DsseError('KEYS_DSSE_MALFORMED', `expected an envelope of type \`${payloadType}\``);
  }
  const payload = Buffer.from(envelope.payload, 'base64');
  const pae = encodePae(payloadType, payload);
  const signed = new Map<string, string>();
  for (const { keyId, publicKey } of keys) {
    assert(publicKey.type === 'public', 'pinned keys are public');
    const identity = toRawPublicKey(publicKey).toString('hex');
    if (signed.has(identity)) continue;
    const isSigned = envelope.signatures.some(({ sig }) =>
      verify(null, pae, publicKey, Buffer.from(sig, 'base64')),
    );
    if (isSigned) signed.set(identity, keyId);
  }
  if (signed.size < threshold) {
    throw new DsseError('KEYS_DSSE_UNTRUSTED', 'too few pinned keys have signed this envelope', {
      details: { signed: signed.size, threshold, pinned: keys.length },
    });
  }
  return { payloadType, payload, keyIds: [...signed.values()] };
}
