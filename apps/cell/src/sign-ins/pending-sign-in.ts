// SPDX-License-Identifier: Apache-2.0
// A sign-in under way lives in the browser that began it, sealed: nothing is stored here that a stranger
// could fill up, and nobody else's browser can end it.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { isCoded, parseTenantId, type Random, type TenantId } from '@bailiwick/kernel';

export interface PendingSignIn {
  readonly tenantId: TenantId;
  /** Each 32 random bytes, base64url. */
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly expiresAtMs: number;
}

const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;
const SECRET_SIZE_BYTES = 32;
const SEALED_LENGTH_MAX = 1_024;

/** The key of sealed sign-ins, out of the cell's own secret: all replicas have the same. */
export function toSignInKey(macKey: KeyObject): KeyObject {
  const info = 'bailiwick/pending-sign-in/v1\0';
  return createSecretKey(Buffer.from(hkdfSync('sha256', macKey.export(), '', info, 32)));
}

/** Begins a sign-in. */
export function createPendingSignIn(
  random: Random,
  { tenantId, expiresAtMs }: Pick<PendingSignIn, 'tenantId' | 'expiresAtMs'>,
): PendingSignIn {
  const draw = (): string => Buffer.from(random.bytes(SECRET_SIZE_BYTES)).toString('base64url');
  return { tenantId, expiresAtMs, state: draw(), nonce: draw(), codeVerifier: draw() };
}

/** RFC 7636 §4.2. */
export function toCodeChallenge({ codeVerifier }: PendingSignIn): string {
  return createHash('sha256').update(codeVerifier, 'ascii').digest('base64url');
}

/** AES-256-GCM under a random nonce; a key seals far fewer than 2^32 of these in its life. */
export function sealSignIn(key: KeyObject, random: Random, pending: PendingSignIn): string {
  const nonce = random.bytes(NONCE_SIZE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(pending), 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url');
}

/** What a cookie says was begun; nothing for what was not sealed here or has run out. */
export function openSignIn(
  key: KeyObject,
  text: string,
  { nowMs }: { readonly nowMs: number },
): PendingSignIn | undefined {
  const bytes = Buffer.from(text, 'base64url');
  if (text.length > SEALED_LENGTH_MAX || bytes.length <= NONCE_SIZE_BYTES + TAG_SIZE_BYTES) {
    return undefined;
  }
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_SIZE_BYTES), {
    authTagLength: TAG_SIZE_BYTES,
  });
  decipher.setAuthTag(bytes.subarray(-TAG_SIZE_BYTES));
  try {
    const body = decipher.update(bytes.subarray(NONCE_SIZE_BYTES, -TAG_SIZE_BYTES));
    const pending = parsePending(Buffer.concat([body, decipher.final()]).toString('utf8'));
    return pending.expiresAtMs > nowMs ? pending : undefined;
  } catch (error) {
    // Whatever does not open was not begun here.
    if (isCoded(error, 'KERNEL_ID_INVALID') || error instanceof Error) return undefined;
    throw error;
  }
}

/** It was sealed here: the shape is our own. */
function parsePending(text: string): PendingSignIn {
  const value = JSON.parse(text) as PendingSignIn;
  return { ...value, tenantId: parseTenantId(value.tenantId) };
}
