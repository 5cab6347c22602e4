// SPDX-License-Identifier: Apache-2.0
// Signed statements: a process says that it dropped keys, a replica that it destroyed an object, the key
// service that a lease ran out. What is signed is canonical JSON behind a domain, so that a statement is
// never mistaken for anything else that the same key signed.
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Json, toCanonicalJson } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';

const DOMAIN = 'bailiwick/statement/v1\0';
/** RFC 8410 §4: SubjectPublicKeyInfo of an Ed25519 key is this prefix and 32 bytes. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const STATEMENT_LENGTH_MAX = 4096;

/** What is stated: ids, instants and words, never a personal value. */
export type StatementBody = Readonly<Record<string, string | number | boolean>> & {
  readonly kind: 'keys-dropped' | 'provider-noted' | 'lease-lapsed' | 'object-destroyed';
  /** RFC 3339 in UTC. */
  readonly at: string;
};

export interface SignedStatement {
  /** Canonical JSON of the body, exactly as signed. */
  readonly body: string;
  /** Ed25519 public key of the signer, base64 of 32 bytes. */
  readonly publicKey: string;
  /** Base64 of 64 bytes. */
  readonly signature: string;
}

/** The public half of an Ed25519 key as base64 of its 32 bytes. */
export function toStatementKey(key: KeyObject): string {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  const der = publicKey.export({ format: 'der', type: 'spki' });
  return der.subarray(SPKI_PREFIX.length).toString('base64');
}

/** Signs a statement with an Ed25519 key. */
export function signStatement(privateKey: KeyObject, body: StatementBody): SignedStatement {
  const text = toCanonicalJson({ ...body, v: 1 } as Json);
  const signature = sign(null, Buffer.from(DOMAIN + text, 'utf8'), privateKey);
  return {
    body: text,
    publicKey: toStatementKey(privateKey),
    signature: signature.toString('base64'),
  };
}

function refuse(problem: string): never {
  throw new KeysError('KEYS_STATEMENT_UNVERIFIED', problem);
}

/**
 * Verifies a statement by one of `publicKeys` (base64 of 32 bytes) and gives its body. SECURITY: all of
 * `statement` is untrusted; the key that it names counts only when it is among those asked for.
 *
 * @throws {KeysError} `KEYS_STATEMENT_UNVERIFIED`
 */
export function verifyStatement(
  statement: SignedStatement,
  publicKeys: readonly string[],
): StatementBody {
  const { body, publicKey, signature } = statement;
  if (!publicKeys.includes(publicKey)) refuse('statement is not signed by a known key');
  if (body.length > STATEMENT_LENGTH_MAX) refuse('statement is too long');
  const raw = Buffer.from(publicKey, 'base64');
  if (raw.length !== 32) refuse('public key has not 32 bytes');
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, raw]),
    format: 'der',
    type: 'spki',
  });
  const isSigned = verify(
    null,
    Buffer.from(DOMAIN + body, 'utf8'),
    key,
    Buffer.from(signature, 'base64'),
  );
  if (!isSigned) refuse('signature of the statement does not verify');
  return parseStatementBody(body);
}

function parseStatementBody(text: string): StatementBody {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('statement is not JSON');
  }
  if (typeof value !== 'object' || value === null) return refuse('statement is not an object');
  if (toCanonicalJson(value as Json) !== text) refuse('statement is not canonical');
  const body = value as StatementBody & { readonly v?: unknown };
  if (body.v !== 1 || typeof body.kind !== 'string' || typeof body.at !== 'string') {
    refuse('statement lacks version, kind or instant');
  }
  return body;
}
