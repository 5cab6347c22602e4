// SPDX-License-Identifier: Apache-2.0
// Goal: only the pinned keys' signatures over exactly these bytes and this type count. Method: the
// protocol's own example for the encoding, then every part of an envelope is changed or cut.
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  addDsseSignature,
  type DsseEnvelope,
  encodePae,
  parseDsse,
  parsePinnedKey,
  signDsse,
  toDsseKeyId,
  toDsseSigner,
  toPublicKeyText,
  verifyDsse,
} from './dsse.ts';

const TYPE = 'application/vnd.bailiwick.test.v1+json';

function aPerson() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const signer = toDsseSigner(privateKey);
  return { signer, pinned: { keyId: signer.keyId, publicKey } };
}

const ann = aPerson();
const ben = aPerson();
const mallory = aPerson();
const payload = Buffer.from('{"v":1}');
const envelope = signDsse({ payloadType: TYPE, payload }, [ann.signer]);
const keys = [ann.pinned, ben.pinned];

const expectCode = (work: () => unknown, code: string): void => {
  expect(work).toThrowError(expect.objectContaining({ code }));
};

describe('a DSSE envelope', () => {
  it('encodes the example of the protocol', () => {
    const pae = encodePae('http://example.com/HelloWorld', Buffer.from('hello world'));
    expect(pae.toString()).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  });

  it('counts bytes and not characters', () => {
    expect(encodePae('é', Buffer.from('')).toString()).toBe('DSSEv1 2 é 0 ');
  });

  it('verifies and gives the bytes and the keys that signed', () => {
    const verified = verifyDsse(JSON.parse(JSON.stringify(envelope)), { payloadType: TYPE, keys });
    expect(verified.payload.equals(payload)).toBe(true);
    expect(verified.keyIds).toEqual([ann.signer.keyId]);
  });

  it('verifies with a wrong or empty key id, because that is a hint only', () => {
    for (const keyid of ['', ben.signer.keyId, 'x']) {
      const hinted = { ...envelope, signatures: envelope.signatures.map((s) => ({ ...s, keyid })) };
      expect(verifyDsse(hinted, { payloadType: TYPE, keys }).keyIds).toEqual([ann.signer.keyId]);
    }
  });

  it('reaches a threshold of two with two people', () => {
    const both = addDsseSignature(envelope, ben.signer);
    const verified = verifyDsse(both, { payloadType: TYPE, keys, threshold: 2 });
    expect(verified.keyIds).toEqual([ann.signer.keyId, ben.signer.keyId]);
  });

  it('reads a pinned key back from its text', () => {
    const read = parsePinnedKey(toPublicKeyText(ann.pinned.publicKey));
    expect(read.keyId).toBe(toDsseKeyId(ann.pinned.publicKey));
    expect(verifyDsse(envelope, { payloadType: TYPE, keys: [read] }).keyIds).toEqual([read.keyId]);
  });
});

describe('a DSSE envelope that is not trusted', () => {
  it('is refused when no pinned key signed', () => {
    const foreign = signDsse({ payloadType: TYPE, payload }, [mallory.signer]);
    expectCode(() => verifyDsse(foreign, { payloadType: TYPE, keys }), 'KEYS_DSSE_UNTRUSTED');
  });

  it('is refused when nothing is pinned', () => {
    expectCode(() => verifyDsse(envelope, { payloadType: TYPE, keys: [] }), 'KEYS_DSSE_UNTRUSTED');
  });

  it('is refused when a stranger borrows a pinned key id', () => {
    const borrowed = signDsse({ payloadType: TYPE, payload }, [
      { ...mallory.signer, keyId: ann.signer.keyId },
    ]);
    expectCode(() => verifyDsse(borrowed, { payloadType: TYPE, keys }), 'KEYS_DSSE_UNTRUSTED');
  });

  it('does not count one person twice', () => {
    const twice = addDsseSignature(envelope, { ...ann.signer, keyId: ben.signer.keyId });
    expectCode(
      () => verifyDsse(twice, { payloadType: TYPE, keys, threshold: 2 }),
      'KEYS_DSSE_UNTRUSTED',
    );
  });

  it('does not count one key pinned under two names twice', () => {
    const names = [ann.pinned, { ...ann.pinned, keyId: 'other-name' }];
    expectCode(
      () => verifyDsse(envelope, { payloadType: TYPE, keys: names, threshold: 2 }),
      'KEYS_DSSE_UNTRUSTED',
    );
  });

  it('is refused when any byte of payload or signature was changed', () => {
    for (let index = 0; index < payload.length; index += 1) {
      const changed = Buffer.from(payload);
      changed[index] = (changed[index] ?? 0) ^ 1;
      const forged = { ...envelope, payload: changed.toString('base64') };
      expectCode(() => verifyDsse(forged, { payloadType: TYPE, keys }), 'KEYS_DSSE_UNTRUSTED');
    }
    const sig = Buffer.from(envelope.signatures[0]?.sig ?? '', 'base64');
    for (let index = 0; index < sig.length; index += 1) {
      const changed = Buffer.from(sig);
      changed[index] = (changed[index] ?? 0) ^ 0x80;
      const forged = { ...envelope, signatures: [{ keyid: '', sig: changed.toString('base64') }] };
      expectCode(() => verifyDsse(forged, { payloadType: TYPE, keys }), 'KEYS_DSSE_UNTRUSTED');
    }
  });

  it('is refused when it is of another type, also when the type is rewritten', () => {
    const other = 'application/vnd.bailiwick.other.v1+json';
    expectCode(() => verifyDsse(envelope, { payloadType: other, keys }), 'KEYS_DSSE_MALFORMED');
    const rewritten = { ...envelope, payloadType: other };
    expectCode(() => verifyDsse(rewritten, { payloadType: other, keys }), 'KEYS_DSSE_UNTRUSTED');
  });

  const broken: readonly (readonly [string, unknown])[] = [
    ['nothing', undefined],
    ['a list', []],
    ['a text', JSON.stringify(envelope)],
    ['no type', { ...envelope, payloadType: undefined }],
    ['an empty type', { ...envelope, payloadType: '' }],
    ['a long type', { ...envelope, payloadType: 'x'.repeat(200) }],
    ['no payload', { ...envelope, payload: undefined }],
    ['a payload in base64url', { ...envelope, payload: '-_-_' }],
    ['a payload with white space', { ...envelope, payload: `${envelope.payload}\n` }],
    ['a payload with stray bits', { ...envelope, payload: 'QR==' }],
    ['no signatures', { ...envelope, signatures: [] }],
    ['signatures that are no list', { ...envelope, signatures: {} }],
    ['too many signatures', { ...envelope, signatures: Array(17).fill(envelope.signatures[0]) }],
    ['an empty signature', { ...envelope, signatures: [{ keyid: '', sig: '' }] }],
    ['a short signature', { ...envelope, signatures: [{ keyid: '', sig: 'AAAA' }] }],
    ['a signature that is null', { ...envelope, signatures: [null] }],
    ['a key id that is a number', { ...envelope, signatures: [{ keyid: 1, sig: 'AAAA' }] }],
  ];
  it.each(broken)('is refused when it has %s', (_, value) => {
    expectCode(() => parseDsse(value), 'KEYS_DSSE_MALFORMED');
  });

  it('refuses pinned keys of another length or alphabet', () => {
    for (const text of ['', 'AAAA', `${toPublicKeyText(ann.pinned.publicKey)}=`, '_'.repeat(44)]) {
      expectCode(() => parsePinnedKey(text), 'KEYS_DSSE_MALFORMED');
    }
  });

  it('keeps the signatures that are there when one is added', () => {
    const both: DsseEnvelope = addDsseSignature(envelope, ben.signer);
    expect(both.signatures[0]).toEqual(envelope.signatures[0]);
    expect(both.payload).toBe(envelope.payload);
  });
});
