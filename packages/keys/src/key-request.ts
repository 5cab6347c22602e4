// SPDX-License-Identifier: Apache-2.0
// What two people sign before a key is ended, destroyed, moved or trusted for longer: one text that says
// what is to be done and what becomes unreadable. A row of a database is no approval: signatures over
// exactly these bytes are, by keys pinned outside of it.
import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { type Json, toCanonicalJson } from '@bailiwick/kernel';
import { KeysError } from './errors.ts';
import { toStatementKey } from './statement.ts';

const DOMAIN = 'bailiwick/key-request/v1\0';
/** RFC 8410 §4 */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const BODY_LENGTH_MAX = 4096;

/** What is asked for. */
export type KeyRequestAction =
  /** Disable the customer key for good. */
  | { readonly kind: 'end' }
  /** Destroy a version that protects nothing, or the customer key of a tenant that has ended. */
  | { readonly kind: 'destroy'; readonly keyId: string; readonly version: number }
  /** Wrap the tenant keys under a key of another provider. */
  | { readonly kind: 'move'; readonly provider: string }
  /** A longer staleness. */
  | { readonly kind: 'staleness'; readonly stalenessMs: number };

/** The text that is signed, as a value. Ids, counts and words; nothing personal. */
export interface KeyRequestBody {
  readonly v: 1;
  readonly request: string;
  readonly cell: string;
  readonly tenant: string;
  readonly action: KeyRequestAction;
  /** Account that asked. */
  readonly requestedBy: string;
  readonly requestedAt: string;
  readonly expiresAt: string;
  /** What cannot be read any more once it is done; 0 where nothing is lost. */
  readonly consequence: { readonly subjects: number; readonly records: number };
}

/** The one encoding that is signed. */
export function encodeKeyRequest(body: KeyRequestBody): string {
  return toCanonicalJson({ ...body, action: { ...body.action } } as unknown as Json);
}

function refuse(problem: string): never {
  throw new KeysError('KEYS_APPROVAL_REFUSED', problem);
}

/** @throws {KeysError} `KEYS_APPROVAL_REFUSED` when the text is not a request in its one encoding */
export function parseKeyRequest(text: string): KeyRequestBody {
  if (text.length > BODY_LENGTH_MAX) refuse('request is too long');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('request is not JSON');
  }
  if (typeof value !== 'object' || value === null) return refuse('request is no object');
  const body = value as KeyRequestBody;
  if (body.v !== 1 || toCanonicalJson(value as Json) !== text) {
    return refuse('request is not in its one encoding');
  }
  return body;
}

/** Signs exactly this text; the Ed25519 signature in base64. */
export function signKeyRequest(
  privateKey: KeyObject,
  text: string,
): {
  readonly key: string;
  readonly signature: string;
} {
  parseKeyRequest(text);
  const signature = sign(null, Buffer.from(DOMAIN + text, 'utf8'), privateKey);
  return { key: toStatementKey(privateKey), signature: signature.toString('base64') };
}

/**
 * Verifies a signature over exactly this text. SECURITY: `key` must be one that was pinned; the caller
 * looks it up and never takes it from the request.
 *
 * @throws {KeysError} `KEYS_APPROVAL_REFUSED`
 */
export function verifyKeyRequest(
  text: string,
  signed: { readonly key: string; readonly signature: string },
): void {
  const raw = Buffer.from(signed.key, 'base64');
  if (raw.length !== 32) refuse('public key has not 32 bytes');
  const key = createPublicKey({
    key: Buffer.concat([SPKI_PREFIX, raw]),
    format: 'der',
    type: 'spki',
  });
  const bytes = Buffer.from(signed.signature, 'base64');
  if (!verify(null, Buffer.from(DOMAIN + text, 'utf8'), key, bytes)) {
    refuse('signature does not verify over this request');
  }
}
