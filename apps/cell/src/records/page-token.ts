// SPDX-License-Identifier: Apache-2.0
// Page tokens: where a search goes on, sealed under a key of the tenant and bound to the query and to who
// asked it. A token holds field values, so nobody but this cell can read it, and a token of another
// query, account or tenant does not open.
import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';
import { isCoded, type Json, toCanonicalJson } from '@bailiwick/kernel';
import { openEnvelope, sealEnvelope } from '@bailiwick/keys';
import { RecordError } from './errors.ts';
import { PAGE_TOKEN_VALID_FOR_MS } from './limits.ts';

/** Where a search goes on: behind this row. */
export interface Cursor {
  /** The sort fields' values of the last row, as JSON texts. */
  readonly after: readonly string[];
  readonly recordId: string;
}

/** What a token is bound to. */
export interface TokenScope {
  readonly tenantId: string;
  readonly account: string;
  readonly role: string;
  readonly purpose: string;
  readonly collectionId: string;
  /** Conditions, order and page size. */
  readonly query: Json;
}

const KEY_DOMAIN = 'bailiwick/page-token/v1\0';
const FORMAT = /^[A-Za-z0-9_-]{1,4096}$/;

function toKey(idKey: KeyObject): KeyObject {
  return createSecretKey(createHmac('sha256', idKey).update(KEY_DOMAIN).digest());
}

function toScopeBytes(scope: TokenScope): Buffer {
  const { tenantId, account, role, purpose, collectionId, query } = scope;
  const text = toCanonicalJson({ tenantId, account, role, purpose, collectionId, query });
  return Buffer.concat([Buffer.from(KEY_DOMAIN), hash('sha256', text, 'buffer')]);
}

/** Seals a cursor. */
export function sealPageToken(
  idKey: KeyObject,
  scope: TokenScope,
  options: { readonly cursor: Cursor; readonly nowMs: number },
): string {
  const { cursor, nowMs } = options;
  const plaintext = JSON.stringify({ ...cursor, until: nowMs + PAGE_TOKEN_VALID_FOR_MS });
  const sealed = sealEnvelope(toKey(idKey), Buffer.from(plaintext), toScopeBytes(scope));
  return sealed.toString('base64url');
}

/**
 * Opens a token. SECURITY: the token is attacker-controlled; what it says counts only once it has opened.
 *
 * @throws {RecordError} `RECORD_PAGE_TOKEN_INVALID`
 */
export function parsePageToken(
  idKey: KeyObject,
  scope: TokenScope,
  options: { readonly token: string; readonly nowMs: number },
): Cursor {
  const { token, nowMs } = options;
  const invalid = new RecordError(
    'RECORD_PAGE_TOKEN_INVALID',
    'the page token is not one of this query, or has expired: start again',
  );
  const bytes = Buffer.from(token, 'base64url');
  if (!FORMAT.test(token) || bytes.toString('base64url') !== token) throw invalid;
  let plaintext: Buffer;
  try {
    plaintext = openEnvelope(toKey(idKey), bytes, toScopeBytes(scope));
  } catch (error) {
    if (isCoded(error, 'KEYS_ENVELOPE_UNOPENED')) throw invalid;
    throw error;
  }
  const opened = JSON.parse(plaintext.toString('utf8')) as { readonly until: number } & Cursor;
  if (opened.until < nowMs) throw invalid;
  return { after: opened.after, recordId: opened.recordId };
}
