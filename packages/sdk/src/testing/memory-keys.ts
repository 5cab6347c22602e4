// SPDX-License-Identifier: Apache-2.0
// Keys and seals of a cell in memory: a key per person and per collection, AES-256-GCM of `node:crypto`
// under the real encoding of a seal. The text form has a prefix of its own, so that such a value can never
// pass for one that a cell sealed.
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import {
  appendRecordId,
  encodeSealPrefix,
  parseCellId,
  parseCollectionId,
  parseKeyId,
  parseRecordId,
  parseResidency,
  parseSeal,
  parseTenantId,
  type Seal,
  toAuthenticatedData,
  toUuid,
} from '@bailiwick/kernel';

const PREFIX = 'bwm1.';
const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;

/** What a value is sealed under. */
export interface MemoryLabel {
  readonly residency: string;
  readonly tenant: string;
  readonly collection: string;
  readonly fieldSet: string;
  readonly class: Seal['class'];
  readonly category: string;
  readonly purpose: string;
  readonly origin: string;
  readonly regimes: readonly string[];
  /** Record id, a UUID. */
  readonly record: string;
}

/** The keys of one cell in memory. */
export class MemoryKeys {
  readonly #idKey = randomBytes(32);
  readonly #indexKey = randomBytes(32);
  readonly #keys = new Map<string, { readonly id: string; readonly key: Buffer }>();

  /** A caller's id as a UUID that says nothing about it. */
  toId(kind: string, text: string): string {
    return toUuid(
      createHmac('sha256', this.#idKey).update(`${kind}\0${text}`).digest().subarray(0, 16),
      8,
    );
  }

  /** Equal values of a field have equal indexes. */
  toIndex(field: string, value: string): string {
    const normal = value.trim().toLowerCase().normalize('NFKC');
    const hash = createHmac('sha256', this.#indexKey).update(`${field}\0${normal}`).digest();
    return hash.subarray(0, 16).toString('base64url');
  }

  /** Destroys an owner's key: what it sealed is noise from now on. */
  erase(owner: string): boolean {
    return this.#keys.delete(owner);
  }

  seal(owner: string, label: MemoryLabel, fields: unknown): string {
    const { id, key } = this.#keyOf(owner);
    const sealed = appendRecordId(
      encodeSealPrefix({
        tenantId: parseTenantId(label.tenant),
        cellId: parseCellId(label.residency),
        residency: parseResidency(label.residency),
        origin: label.origin,
        regimes: [...new Set(label.regimes)].sort(),
        class: label.class,
        category: label.category,
        purpose: label.purpose,
        collectionId: parseCollectionId(label.collection),
        fieldSet: label.fieldSet,
        keyId: parseKeyId(id),
        keyVersion: 1,
        lawDate: 0,
      }),
      parseRecordId(label.record),
    );
    const nonce = randomBytes(NONCE_SIZE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(toAuthenticatedData(sealed));
    const ciphertext = Buffer.concat([
      cipher.update(JSON.stringify(fields), 'utf8'),
      cipher.final(),
    ]);
    const size = Buffer.alloc(2);
    size.writeUInt16BE(sealed.length);
    const bytes = Buffer.concat([size, sealed, nonce, ciphertext, cipher.getAuthTag()]);
    return PREFIX + bytes.toString('base64url');
  }

  /** The fields and their seal; undefined when the key was erased. Throws for anything forged. */
  open(text: string): { readonly seal: Seal; readonly fields: unknown } | undefined {
    if (!text.startsWith(PREFIX)) throw new TypeError('not a value that this cell sealed');
    const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
    if (bytes.length < 2 + NONCE_SIZE_BYTES + TAG_SIZE_BYTES) throw new TypeError('cut short');
    const from = 2 + bytes.readUInt16BE(0);
    const sealed = bytes.subarray(2, from);
    const seal = parseSeal(sealed);
    const found = [...this.#keys.values()].find(({ id }) => id === seal.keyId);
    if (found === undefined) return undefined;
    const nonce = bytes.subarray(from, from + NONCE_SIZE_BYTES);
    const decipher = createDecipheriv('aes-256-gcm', found.key, nonce, {
      authTagLength: TAG_SIZE_BYTES,
    });
    decipher.setAAD(toAuthenticatedData(sealed));
    decipher.setAuthTag(bytes.subarray(-TAG_SIZE_BYTES));
    const ciphertext = bytes.subarray(from + NONCE_SIZE_BYTES, -TAG_SIZE_BYTES);
    const plain = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    return { seal, fields: JSON.parse(plain.toString('utf8')) };
  }

  #keyOf(owner: string): { readonly id: string; readonly key: Buffer } {
    const known = this.#keys.get(owner);
    if (known !== undefined) return known;
    const made = { id: toUuid(randomBytes(16), 8), key: randomBytes(32) };
    this.#keys.set(owner, made);
    return made;
  }
}
