// SPDX-License-Identifier: Apache-2.0
// Goal: a sealed value opens only as what its seal says, where it was put (invariant 2), and its format
// is pinned. Method: change every byte of seal and envelope, move values, and read golden bytes.
import { createHash, createSecretKey } from 'node:crypto';
import type { Seal } from '@bailiwick/kernel';
import {
  isCoded,
  parseCellId,
  parseCollectionId,
  parseKeyId,
  parseRecordId,
  parseResidency,
  parseTenantId,
} from '@bailiwick/kernel';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sealWithNonce } from './envelope.ts';
import {
  type BulkSealTemplate,
  createSealer,
  digestSeal,
  openValue,
  parseSealedText,
  parseSealedValue,
  sealValue,
  toSealedText,
} from './sealed-value.ts';
import { createKey } from './secret.ts';

const template: BulkSealTemplate = {
  tenantId: parseTenantId('0198c000-0000-7000-8000-000000000001'),
  cellId: parseCellId('eu-de/main'),
  residency: parseResidency('eu-de'),
  origin: 'de',
  regimes: ['gdpr'],
  class: 'restricted',
  category: 'contact',
  purpose: 'order-fulfilment',
  collectionId: parseCollectionId('customers'),
  fieldSet: 'person',
  lawDate: 20_000,
};
const recordId = parseRecordId('0198c000-0000-8000-8000-000000000002');
const handle = {
  keyId: parseKeyId('0198c000-0000-7000-8000-000000000003'),
  version: 1,
  key: createKey(),
};
const plaintext = Buffer.from('{"email":"erika@example.test"}');

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    for (const code of ['KEYS_VALUE_MALFORMED', 'KEYS_ENVELOPE_UNOPENED', 'KEYS_SEAL_MISMATCH']) {
      if (isCoded(error, code)) return code;
    }
    throw error;
  }
}

describe('a sealed value', () => {
  const sealed = sealValue(handle, template, recordId, plaintext);

  it('opens as what was sealed and says which key', () => {
    const parsed = parseSealedValue(sealed);
    expect(parsed.seal).toEqual({
      ...template,
      keyId: handle.keyId,
      keyVersion: handle.version,
      recordId,
    });
    expect(openValue(handle.key, parsed, parsed.seal)).toEqual(plaintext);
  });

  it('has the layout that cannot change: magic, version, u16be seal length, seal, envelope', () => {
    expect(sealed.subarray(0, 3).toString('hex')).toBe('425701');
    const { sealBytes, envelope } = parseSealedValue(sealed);
    expect(sealed.readUInt16BE(3)).toBe(sealBytes.length);
    expect(Buffer.concat([sealed.subarray(0, 5), sealBytes, envelope])).toEqual(sealed);
  });

  it('is bound to its seal byte for byte: golden digest of one made with fixed key and nonce', () => {
    const { sealBytes } = parseSealedValue(sealed);
    const domain = Buffer.from('bailiwick/seal/v1\0', 'latin1');
    const envelope = sealWithNonce(Buffer.alloc(24, 7), {
      key: createSecretKey(Buffer.alloc(32, 9)),
      plaintext,
      authenticatedData: Buffer.concat([domain, sealBytes]),
    });
    const value = Buffer.concat([sealed.subarray(0, 5), sealBytes, envelope]);
    expect(createHash('sha256').update(value).digest('hex')).toBe(
      'd69db4f9789c872a70dd905e9d4152687c52d593ff59287cf9f461c65f4311e8',
    );
    const key = createSecretKey(Buffer.alloc(32, 9));
    expect(openValue(key, parseSealedValue(value))).toEqual(plaintext);
  });

  it('does not open when any byte is changed', () => {
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(codeOf(() => openValue(handle.key, parseSealedValue(changed)))).not.toBe('none');
    }
  });

  it('does not open when cut anywhere or longer by a byte', () => {
    for (let size = 0; size < sealed.length; size += 1) {
      const cut = sealed.subarray(0, size);
      expect(codeOf(() => openValue(handle.key, parseSealedValue(cut)))).not.toBe('none');
    }
    const longer = Buffer.concat([sealed, Buffer.from([0])]);
    expect(codeOf(() => openValue(handle.key, parseSealedValue(longer)))).toBe(
      'KEYS_ENVELOPE_UNOPENED',
    );
  });

  const moved: readonly (readonly [string, Partial<Seal>])[] = [
    ['another tenant', { tenantId: parseTenantId('0198c000-0000-7000-8000-0000000000ff') }],
    ['another cell', { cellId: parseCellId('uk-lon/main') }],
    ['another residency', { residency: parseResidency('uk-lon') }],
    ['another origin', { origin: 'fr' }],
    ['other regimes', { regimes: ['cpra', 'gdpr'] }],
    ['another class', { class: 'public' }],
    ['another category', { category: 'health' }],
    ['another purpose', { purpose: 'marketing' }],
    ['another collection', { collectionId: parseCollectionId('leads') }],
    ['another field set', { fieldSet: 'other' }],
    ['another law date', { lawDate: 20_001 }],
    ['another record', { recordId: parseRecordId('0198c000-0000-8000-8000-0000000000ff') }],
    ['another key', { keyId: parseKeyId('0198c000-0000-7000-8000-0000000000ff') }],
    ['another key version', { keyVersion: 2 }],
  ];
  it.each(moved)(
    'moved to %s is refused by name and does not open under that seal',
    (_, change) => {
      const parsed = parseSealedValue(sealed);
      expect(codeOf(() => openValue(handle.key, parsed, change))).toBe('KEYS_SEAL_MISMATCH');
      const other = { ...parsed.seal, ...change };
      const disguised = sealValue(
        { keyId: other.keyId, version: other.keyVersion, key: createKey() },
        other,
        other.recordId,
        plaintext,
      );
      const { sealBytes } = parseSealedValue(disguised);
      const forged = { seal: other, sealBytes, envelope: parsed.envelope };
      expect(codeOf(() => openValue(handle.key, forged))).toBe('KEYS_ENVELOPE_UNOPENED');
    },
  );

  it('never throws anything but a coded error on garbage', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(codeOf(() => parseSealedValue(bytes))).toBe('KEYS_VALUE_MALFORMED');
      }),
    );
  });
});

describe('a sealer', () => {
  it('gives values that open each under its own record only', () => {
    const sealer = createSealer(handle, template);
    const other = parseRecordId('0198c000-0000-8000-8000-000000000004');
    const one = parseSealedValue(sealer.seal(recordId, plaintext));
    const two = parseSealedValue(sealer.seal(other, plaintext));
    expect(openValue(handle.key, one, { recordId })).toEqual(plaintext);
    expect(openValue(handle.key, two, { recordId: other })).toEqual(plaintext);
    expect(codeOf(() => openValue(handle.key, two, { recordId }))).toBe('KEYS_SEAL_MISMATCH');
    expect(codeOf(() => openValue(handle.key, { ...two, sealBytes: one.sealBytes }))).toBe(
      'KEYS_ENVELOPE_UNOPENED',
    );
    expect(digestSeal(one.sealBytes).equals(digestSeal(two.sealBytes))).toBe(false);
  });
});

describe('the text form', () => {
  const sealed = sealValue(handle, template, recordId, plaintext);
  const text = toSealedText(sealed);

  it('reads back to the same bytes', () => {
    expect(text).toMatch(/^bwk1\.[A-Za-z0-9_-]+$/);
    expect(openValue(handle.key, parseSealedText(text))).toEqual(plaintext);
  });

  it.each([
    ['another prefix', `bwk2.${text.slice(5)}`],
    ['no prefix', text.slice(5)],
    ['padding', `${text}=`],
    ['white space', `${text}\n`],
    ['the other alphabet', `bwk1.+/${text.slice(7)}`],
    ['nothing', ''],
    ['a prefix alone', 'bwk1.'],
  ])('refuses %s', (_, changed) => {
    expect(codeOf(() => parseSealedText(changed))).toBe('KEYS_VALUE_MALFORMED');
  });

  it('has one spelling: stray bits in the last character are refused', () => {
    const padded = toSealedText(
      sealValue(handle, template, recordId, Buffer.alloc(plaintext.length + 1)),
    );
    const spellings = [...text.slice(0, 0), text, padded].flatMap((original) =>
      [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map(
        (last) => original.slice(0, -1) + last,
      ),
    );
    const accepted = spellings.filter(
      (spelling) => codeOf(() => openValue(handle.key, parseSealedText(spelling))) === 'none',
    );
    expect(accepted.sort()).toEqual([text, padded].sort());
  });
});
