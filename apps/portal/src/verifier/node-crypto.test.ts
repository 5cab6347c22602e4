// SPDX-License-Identifier: Apache-2.0
// Goal: what stands in the place of `node:crypto` in browsers says exactly what Node says, and no to what
// Node says no to. Method: Node's own is the reference, over sizes and over every kind of broken signature.
import {
  createHash,
  createPublicKey as createNodeKey,
  generateKeyPairSync,
  type KeyObject as NodeKey,
  sign,
  verify as verifyByNode,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPublicKey, hash, verify } from './node-crypto.ts';

const pair = generateKeyPairSync('ed25519');
const toDer = (key: NodeKey): Buffer => key.export({ type: 'spki', format: 'der' });
const message = Buffer.from('eu-de/main/ledger/1\n140\nroot\n');
const signature = sign(null, message, pair.privateKey);
const key = createPublicKey({ key: toDer(pair.publicKey) });

describe('the hash', () => {
  it.each([0, 1, 31, 32, 33, 55, 56, 63, 64, 65, 127, 128, 1000])(
    'is sha-256 of %i bytes',
    (size) => {
      const bytes = Buffer.alloc(size, 0x5a);
      const expected = createHash('sha256').update(bytes);
      const digest = expected.digest();
      expect(hash('sha256', bytes)).toBe(digest.toString('hex'));
      expect(hash('sha256', bytes, 'binary')).toBe(digest.toString('latin1'));
      expect(Buffer.from(hash('sha256', bytes, 'buffer') as Uint8Array)).toEqual(digest);
    },
  );

  it('hashes a text as utf-8, and nothing by another name', () => {
    const expected = createHash('sha256').update('Müller ✓', 'utf8').digest('hex');
    expect(hash('sha256', 'Müller ✓')).toBe(expected);
    expect(() => hash('sha1', '')).toThrow(TypeError);
    expect(() => hash('SHA256', '')).toThrow(TypeError);
  });
});

describe('the signature', () => {
  it('verifies what Node signed', () => {
    expect(verify(null, message, key, signature)).toBe(true);
  });

  it('does not verify with any one bit of it, of the text or of the key changed', () => {
    for (let at = 0; at < signature.length; at += 1) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verify(null, message, key, changed), `signature ${at}`).toBe(false);
    }
    for (let at = 0; at < message.length; at += 1) {
      const changed = Buffer.from(message);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(verify(null, changed, key, signature), `text ${at}`).toBe(false);
    }
    for (let at = 12; at < 44; at += 1) {
      const der = toDer(pair.publicKey);
      der[at] = (der[at] ?? 0) ^ 1;
      expect(verify(null, message, createPublicKey({ key: der }), signature), `key ${at}`).toBe(
        false,
      );
    }
  });

  it.each([0, 1, 63, 65, 128])('is refused with %i bytes', (size) => {
    expect(verify(null, message, key, Buffer.alloc(size, 1))).toBe(false);
  });

  it('is refused in a second form that the curve would allow (RFC 8032 §5.1.7: S below the order)', () => {
    const order = (1n << 252n) + 27742317777372353535851937790883648493n;
    const s =
      signature.subarray(32).reduceRight((sum, byte) => (sum << 8n) + BigInt(byte), 0n) + order;
    const second = Buffer.from(signature);
    for (let at = 0; at < 32; at += 1) second[32 + at] = Number((s >> BigInt(8 * at)) & 0xffn);
    expect(verifyByNode(null, message, pair.publicKey, second)).toBe(false);
    expect(verify(null, message, key, second)).toBe(false);
  });

  it('is refused under a key of small order, which would sign everything', () => {
    const zero = Buffer.concat([toDer(pair.publicKey).subarray(0, 12), Buffer.alloc(32)]);
    const forged = Buffer.concat([Buffer.from([1]), Buffer.alloc(63)]);
    expect(verify(null, message, createPublicKey({ key: zero }), forged)).toBe(false);
    const one = Buffer.from(zero);
    one[12] = 1;
    expect(verify(null, message, createPublicKey({ key: one }), forged)).toBe(false);
  });
});

describe('the key', () => {
  it('is an ed25519 key and no other', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    const x25519 = generateKeyPairSync('x25519').publicKey;
    for (const other of [toDer(rsa), toDer(x25519), Buffer.alloc(44), Buffer.alloc(0)]) {
      expect(() => createPublicKey({ key: other })).toThrow(TypeError);
    }
    expect(
      createNodeKey({ key: toDer(pair.publicKey), format: 'der', type: 'spki' }),
    ).toBeDefined();
  });
});
