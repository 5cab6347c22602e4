// SPDX-License-Identifier: Apache-2.0
// Wraps: keys sealed under keys. A wrap is an envelope of 32 bytes whose authenticated data is its
// context in canonical JSON behind a domain, so that a wrap moved to another tenant, owner, key or level
// does not open, and a proxy in front of a customer's key can read, authorise and log what it is asked.
import type { KeyObject } from 'node:crypto';
import { hkdfSync } from 'node:crypto';
import type { CellId, KeyId, TenantId } from '@bailiwick/kernel';
import { isCoded, toCanonicalJson } from '@bailiwick/kernel';
import { ENVELOPE_OVERHEAD_BYTES, openEnvelope, sealEnvelope } from './envelope.ts';
import { KeysError } from './errors.ts';
import { KEY_SIZE_BYTES } from './limits.ts';
import { takeKey, wipe, withMaterial } from './secret.ts';

/** Levels and uses of wrapped keys. */
export const WRAP_KINDS = [
  'tenant-key',
  'collection-key',
  'subject-key',
  'shred-key',
  'facts-key',
  'id-key',
  'index-key',
] as const;
export type WrapKind = (typeof WRAP_KINDS)[number];

/** What a wrap is bound to. No value here is about a person but by a keyed hash. */
export interface WrapContext {
  readonly kind: WrapKind;
  readonly cellId: CellId;
  readonly tenantId: TenantId;
  /** The key inside. */
  readonly keyId: KeyId;
  readonly version: number;
  /** Whose it is: subject id, collection id, `collection/field`; the tenant's id for tenant-wide keys. */
  readonly owner: string;
  /** The key outside: customer key, tenant key or shred key, and its version. */
  readonly under: KeyId;
  readonly underVersion: number;
}

/** Size of a wrap, in bytes. */
export const WRAP_SIZE_BYTES: number = KEY_SIZE_BYTES + ENVELOPE_OVERHEAD_BYTES;
const WRAP_DOMAIN = 'bailiwick/wrap/v1\0';
const SHRED_DOMAIN = 'bailiwick/subject-wrapping-key/v1\0';

/** The context's one encoding: domain, zero byte, canonical JSON (RFC 8785). */
export function encodeWrapContext(context: WrapContext): Buffer {
  const json = toCanonicalJson({
    cell: context.cellId,
    key: context.keyId,
    kind: context.kind,
    owner: context.owner,
    tenant: context.tenantId,
    under: context.under,
    underVersion: context.underVersion,
    version: context.version,
  });
  return Buffer.from(WRAP_DOMAIN + json, 'utf8');
}

/** Wraps a key under another one. */
export function wrapKey(wrappingKey: KeyObject, key: KeyObject, context: WrapContext): Buffer {
  return withMaterial(key, (material) =>
    sealEnvelope(wrappingKey, material, encodeWrapContext(context)),
  );
}

/** @throws {KeysError} `KEYS_KEY_UNREADABLE` when the wrap is not this key's in this context. */
export function unwrapKey(
  wrappingKey: KeyObject,
  wrap: Uint8Array,
  context: WrapContext,
): KeyObject {
  if (wrap.length !== WRAP_SIZE_BYTES) {
    throw new KeysError('KEYS_KEY_UNREADABLE', `expected a wrap of ${WRAP_SIZE_BYTES} bytes`);
  }
  try {
    return takeKey(openEnvelope(wrappingKey, wrap, encodeWrapContext(context)));
  } catch (cause) {
    if (!isCoded(cause, 'KEYS_ENVELOPE_UNOPENED')) throw cause;
    throw new KeysError('KEYS_KEY_UNREADABLE', 'wrap does not open in this context', { cause });
  }
}

/** Names the two keys that together wrap the subject keys of one bucket. */
export interface SubjectWrapping {
  readonly cellId: CellId;
  readonly tenantId: TenantId;
  readonly tenantKeyId: KeyId;
  readonly tenantKeyVersion: number;
  readonly shredKeyId: KeyId;
}

/**
 * The key that wraps the subject keys of one shred key: HKDF-SHA-256 over tenant key ‖ shred key, both
 * of 32 bytes. INVARIANT: without the shred key it cannot be had, not even with the living tenant key;
 * that is what erasure rests on (invariant 9).
 */
export function deriveSubjectWrappingKey(
  keys: { readonly tenantKey: KeyObject; readonly shredKey: KeyObject },
  names: SubjectWrapping,
): KeyObject {
  const json = toCanonicalJson({
    cell: names.cellId,
    shredKey: names.shredKeyId,
    tenant: names.tenantId,
    tenantKey: names.tenantKeyId,
    tenantKeyVersion: names.tenantKeyVersion,
  });
  const info = Buffer.from(SHRED_DOMAIN + json, 'utf8');
  return withMaterial(keys.tenantKey, (tenantMaterial) =>
    withMaterial(keys.shredKey, (shredMaterial) => {
      const both = Buffer.concat([tenantMaterial, shredMaterial]);
      const derived = Buffer.from(hkdfSync('sha256', both, Buffer.alloc(0), info, KEY_SIZE_BYTES));
      wipe(both);
      return takeKey(derived);
    }),
  );
}
