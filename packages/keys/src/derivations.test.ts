// SPDX-License-Identifier: Apache-2.0
// Goal: ids, blind indexes, facts MACs and wraps are pinned, separated from each other and refuse what
// they must. Golden values were made with an independent implementation (Python's hmac and hashlib).
import { createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto';
import {
  isCoded,
  parseCellId,
  parseCollectionId,
  parseKeyId,
  parseTenantId,
  toCanonicalJson,
} from '@bailiwick/kernel';
import { parseVectors } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { blindIndex, NORMAL_FORMS, toNormalForm } from './blind-index.ts';
import { deriveRecordId, deriveSubjectId } from './caller-id.ts';
import { macFacts, verifyFacts } from './facts.ts';
import { createKey, takeKey, withMaterial } from './secret.ts';
import {
  deriveSubjectWrappingKey,
  encodeWrapContext,
  unwrapKey,
  WRAP_KINDS,
  WRAP_SIZE_BYTES,
  type WrapContext,
  wrapKey,
} from './wrap.ts';

const key = createSecretKey(Buffer.alloc(32, 1));
const customers = parseCollectionId('customers');

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    if (error instanceof Error && 'code' in error) return String(error.code);
    throw error;
  }
}

describe('ids of callers', () => {
  it('become UUIDv8 that an independent implementation computes as well', () => {
    expect(deriveRecordId(key, customers, 'C-1001')).toBe('00cc93cc-7079-8aeb-907d-174022533412');
    expect(deriveSubjectId(key, 'erika@example.test')).toBe('9e741137-0740-854a-bcd5-51ef0850652b');
  });

  it('differ by tenant key, collection, id and kind', () => {
    const ids = [
      deriveRecordId(key, customers, 'a'),
      deriveRecordId(key, customers, 'b'),
      deriveRecordId(key, parseCollectionId('customer'), 'a'),
      deriveRecordId(createKey(), customers, 'a'),
      deriveSubjectId(key, 'a'),
      deriveSubjectId(key, 'customers\0a'),
    ];
    expect(new Set<string>(ids).size).toBe(ids.length);
  });

  it.each([
    ['an empty one', ''],
    ['one of 513 characters', 'x'.repeat(513)],
    ['a lone surrogate', 'a\ud800'],
  ])('refuse %s', (_, id) => {
    expect(codeOf(() => deriveRecordId(key, customers, id))).toBe('KEYS_CALLER_ID_INVALID');
    expect(codeOf(() => deriveSubjectId(key, id))).toBe('KEYS_CALLER_ID_INVALID');
  });
});

describe('blind indexes', () => {
  it.each([
    ['email', ' Erika.Muster@Example.TEST ', 'erika.muster@example.test'],
    ['email', 'ｅrika@example.test', 'erika@example.test'],
    ['phone', '+49 (0)30 / 901820-0', '+490309018200'],
    ['phone', '0049 30 9018200', '+49309018200'],
    ['phone', '030.901.8200', '0309018200'],
    ['text', '  Straße \t der  Nationen\n', 'straße der nationen'],
    ['exact', ' As Is ', ' As Is '],
  ] as const)('normal form `%s` of `%s`', (form, value, expected) => {
    expect(toNormalForm(form, value)).toBe(expected);
    expect(blindIndex(key, form, value)).toEqual(blindIndex(key, form, expected));
  });

  it('is pinned', () => {
    expect(blindIndex(key, 'email', 'erika@example.test').toString('hex')).toBe(
      '4199eff2fe3dd453f86345496d74f029',
    );
  });

  it('differs by form, key and value', () => {
    const indexes = [
      ...NORMAL_FORMS.filter((form) => form !== 'phone').map((form) =>
        blindIndex(key, form, 'a@b'),
      ),
      blindIndex(createKey(), 'email', 'a@b'),
      blindIndex(key, 'email', 'a@c'),
    ].map((index) => index.toString('hex'));
    expect(new Set(indexes).size).toBe(indexes.length);
  });

  it.each([
    ['email', 'no at sign'],
    ['email', 'two@at@signs'],
    ['email', '@nobody'],
    ['email', 'white space@example.test'],
    ['phone', 'call me'],
    ['phone', '12'],
    ['phone', '1'.repeat(21)],
    ['text', ' \t '],
    ['exact', ''],
    ['exact', 'x'.repeat(4097)],
    ['exact', '\udc00'],
  ] as const)('has no `%s` form for `%s`', (form, value) => {
    expect(codeOf(() => blindIndex(key, form, value))).toBe('KEYS_VALUE_UNINDEXABLE');
  });
});

describe('facts', () => {
  const sealDigests = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const canonicalFacts = '{"hold":"case-1"}';
  const stored = {
    sealDigests,
    serial: 3,
    canonicalFacts,
    mac: macFacts(key, sealDigests, 3, canonicalFacts),
  };

  it('verify as they were written and are pinned', () => {
    expect(verifyFacts(key, stored)).toBe(canonicalFacts);
    expect(stored.mac.toString('hex')).toBe(
      '414fbc3741e9b9a7164553cb58a069c017b63317f8c7f72209dd2550aa0b6508',
    );
  });

  it.each([
    ['other facts', { canonicalFacts: '{"hold":"case-2"}' }],
    ['an older serial', { serial: 2 }],
    ['a fraction as serial', { serial: 3.5 }],
    ['seals in another order', { sealDigests: [...sealDigests].reverse() }],
    ['a seal less', { sealDigests: sealDigests.slice(1) }],
    ['a seal more', { sealDigests: [...sealDigests, Buffer.alloc(32)] }],
    ['a MAC cut short', { mac: stored.mac.subarray(1) }],
    ['no MAC', { mac: Buffer.alloc(0) }],
    [
      'a flipped bit',
      { mac: Buffer.from(stored.mac.map((byte, index) => (index ? byte : byte ^ 1))) },
    ],
  ])('do not verify with %s', (_, change) => {
    expect(codeOf(() => verifyFacts(key, { ...stored, ...change }))).toBe('KEYS_FACTS_UNVERIFIED');
  });

  it('do not verify under another key', () => {
    expect(codeOf(() => verifyFacts(createKey(), stored))).toBe('KEYS_FACTS_UNVERIFIED');
  });
});

const context: WrapContext = {
  kind: 'subject-key',
  cellId: parseCellId('eu-de/main'),
  tenantId: parseTenantId('0198c000-0000-7000-8000-000000000001'),
  keyId: parseKeyId('0198c000-0000-7000-8000-000000000003'),
  version: 1,
  owner: '0198c000-0000-8000-8000-000000000005',
  under: parseKeyId('0198c000-0000-7000-8000-000000000006'),
  underVersion: 1,
};

describe('wraps', () => {
  const inner = createKey();
  const wrap = wrapKey(key, inner, context);

  it('unwrap to the same key', () => {
    expect(wrap.length).toBe(WRAP_SIZE_BYTES);
    expect(unwrapKey(key, wrap, context).equals(inner)).toBe(true);
  });

  it('are bound to a context in canonical JSON', () => {
    const text = encodeWrapContext(context).toString();
    const json = text.slice(text.indexOf('\0') + 1);
    expect(text.startsWith('bailiwick/wrap/v1\0')).toBe(true);
    expect(toCanonicalJson(JSON.parse(json))).toBe(json);
  });

  const others: readonly (readonly [string, Partial<WrapContext>])[] = [
    ['kind', { kind: 'collection-key' }],
    ['cell', { cellId: parseCellId('uk-lon/main') }],
    ['tenant', { tenantId: parseTenantId('0198c000-0000-7000-8000-0000000000ff') }],
    ['key', { keyId: parseKeyId('0198c000-0000-7000-8000-0000000000ff') }],
    ['version', { version: 2 }],
    ['owner', { owner: '0198c000-0000-8000-8000-0000000000ff' }],
    ['key outside', { under: parseKeyId('0198c000-0000-7000-8000-0000000000ff') }],
    ['version outside', { underVersion: 2 }],
  ];
  it.each(others)('do not unwrap with another %s', (_, change) => {
    expect(codeOf(() => unwrapKey(key, wrap, { ...context, ...change }))).toBe(
      'KEYS_KEY_UNREADABLE',
    );
  });

  it('do not unwrap when flipped, cut, longer or under another key', () => {
    for (let index = 0; index < wrap.length; index += 1) {
      const changed = Buffer.from(wrap);
      changed[index] = (changed[index] ?? 0) ^ 0x80;
      expect(codeOf(() => unwrapKey(key, changed, context))).toBe('KEYS_KEY_UNREADABLE');
      expect(codeOf(() => unwrapKey(key, wrap.subarray(0, index), context))).toBe(
        'KEYS_KEY_UNREADABLE',
      );
    }
    const longer = Buffer.concat([wrap, wrap]);
    expect(codeOf(() => unwrapKey(key, longer, context))).toBe('KEYS_KEY_UNREADABLE');
    expect(codeOf(() => unwrapKey(createKey(), wrap, context))).toBe('KEYS_KEY_UNREADABLE');
  });

  it('have a context of their own for each kind', () => {
    const contexts = WRAP_KINDS.map((kind) => encodeWrapContext({ ...context, kind }).toString());
    expect(new Set(contexts).size).toBe(WRAP_KINDS.length);
  });
});

describe('the key that wraps subject keys', () => {
  const names = {
    cellId: context.cellId,
    tenantId: context.tenantId,
    tenantKeyId: context.keyId,
    tenantKeyVersion: 1,
    shredKeyId: context.under,
  };
  const tenantKey = createSecretKey(Buffer.alloc(32, 1));
  const shredKey = createSecretKey(Buffer.alloc(32, 2));
  const derived = deriveSubjectWrappingKey({ tenantKey, shredKey }, names);

  it('is pinned', () => {
    expect(withMaterial(derived, (material) => material.toString('hex'))).toBe(
      'ccfc3ca58e0c0f17274047e57e5cf6c6151298a4723bc48834309425df715b4c',
    );
  });

  it('needs both keys and each name', () => {
    const others = [
      deriveSubjectWrappingKey({ tenantKey, shredKey: createKey() }, names),
      deriveSubjectWrappingKey({ tenantKey: createKey(), shredKey }, names),
      deriveSubjectWrappingKey({ tenantKey: shredKey, shredKey: tenantKey }, names),
      deriveSubjectWrappingKey({ tenantKey, shredKey }, { ...names, tenantKeyVersion: 2 }),
      deriveSubjectWrappingKey(
        { tenantKey, shredKey },
        { ...names, cellId: parseCellId('uk-lon') },
      ),
      deriveSubjectWrappingKey({ tenantKey, shredKey }, { ...names, shredKeyId: context.keyId }),
      deriveSubjectWrappingKey({ tenantKey, shredKey }, { ...names, tenantKeyId: context.under }),
    ];
    for (const other of others) expect(other.equals(derived)).toBe(false);
  });
});

describe('key material', () => {
  it('is wiped once it is a key, and after it was lent', () => {
    const material = Buffer.alloc(32, 5);
    const made = takeKey(material);
    expect(material.every((byte) => byte === 0)).toBe(true);
    let lent: Uint8Array = Buffer.alloc(0);
    withMaterial(made, (bytes) => {
      lent = bytes;
      expect(bytes.every((byte) => byte === 5)).toBe(true);
    });
    expect(lent.every((byte) => byte === 0)).toBe(true);
  });

  it('never shows in an error', () => {
    const wrap = wrapKey(key, createSecretKey(Buffer.alloc(32, 0x41)), context);
    try {
      unwrapKey(createKey(), wrap, context);
    } catch (error) {
      expect(isCoded(error, 'KEYS_KEY_UNREADABLE')).toBe(true);
      expect(JSON.stringify(error)).not.toContain('AAAA');
    }
  });
});

interface MacFile {
  readonly testGroups: readonly {
    readonly tagSize: number;
    readonly tests: readonly Readonly<Record<'key' | 'msg' | 'tag' | 'result', string>>[];
  }[];
}
interface HkdfFile {
  readonly testGroups: readonly {
    readonly tests: readonly (Readonly<
      Record<'ikm' | 'salt' | 'info' | 'okm' | 'result', string>
    > & {
      readonly size: number;
    })[];
  }[];
}

describe('the platform below', () => {
  it('passes Wycheproof HMAC-SHA-256', () => {
    let count = 0;
    for (const group of parseVectors<MacFile>('wycheproof/hmac_sha256_test.json').testGroups) {
      for (const test of group.tests) {
        const mac = createHmac('sha256', createSecretKey(Buffer.from(test.key, 'hex')))
          .update(Buffer.from(test.msg, 'hex'))
          .digest()
          .subarray(0, group.tagSize / 8);
        const equal = timingSafeEqual(mac, Buffer.from(test.tag, 'hex'));
        expect(equal).toBe(test.result === 'valid');
        count += 1;
      }
    }
    expect(count).toBe(174);
  });

  it('passes Wycheproof HKDF-SHA-256', () => {
    let count = 0;
    for (const group of parseVectors<HkdfFile>('wycheproof/hkdf_sha256_test.json').testGroups) {
      for (const test of group.tests) {
        const [ikm, salt, info] = [test.ikm, test.salt, test.info].map((hex) =>
          Buffer.from(hex, 'hex'),
        );
        const derive = (): string =>
          Buffer.from(hkdfSync('sha256', ikm ?? '', salt ?? '', info ?? '', test.size)).toString(
            'hex',
          );
        if (test.result === 'valid') expect(derive()).toBe(test.okm);
        else expect(derive).toThrow();
        count += 1;
      }
    }
    expect(count).toBe(86);
  });
});
