// SPDX-License-Identifier: Apache-2.0
// Goal: the envelope is KC-XAES-256-GCM to the bit, and nothing but an untouched envelope opens.
// Method: the vectors of C2SP (with their accumulated digest), of DESIGN.md for the commitment, and
// Wycheproof's AES-GCM for the platform below; then every bit flipped and every length cut.
import { createCipheriv, createDecipheriv, createHash, createSecretKey } from 'node:crypto';
import { isCoded } from '@bailiwick/kernel';
import { parseVectors } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import { ENVELOPE_OVERHEAD_BYTES, openEnvelope, sealEnvelope, sealWithNonce } from './envelope.ts';
import { createKey } from './secret.ts';
import { forgetDerivations } from './xaes.ts';

const NONCE = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX');

interface Xaes {
  readonly vectors: readonly {
    readonly key: string;
    readonly nonce_utf8: string;
    readonly plaintext_utf8: string;
    readonly aad_utf8: string;
    readonly ciphertext: string;
  }[];
  readonly accumulated: Readonly<Record<string, string>>;
}
const xaes = parseVectors<Xaes>('c2sp/xaes-256-gcm-vectors.json');

function opens(work: () => unknown): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (isCoded(error, 'KEYS_ENVELOPE_UNOPENED')) return false;
    throw error;
  }
}

describe('KC-XAES-256-GCM', () => {
  it.each(xaes.vectors)('gives the ciphertext of C2SP for key $key', (vector) => {
    const key = createSecretKey(Buffer.from(vector.key, 'hex'));
    const sealing = {
      key,
      plaintext: Buffer.from(vector.plaintext_utf8),
      authenticatedData: Buffer.from(vector.aad_utf8),
    };
    const envelope = sealWithNonce(Buffer.from(vector.nonce_utf8), sealing);
    expect(envelope.subarray(24, -32).toString('hex')).toBe(vector.ciphertext);
    expect(openEnvelope(key, envelope, sealing.authenticatedData)).toEqual(sealing.plaintext);
  });

  it.each([
    [1, '04076b6085eebab138855fe57811c04112eff989d44120dfff662d5475a383c3'],
    [3, '5553cd21d1592b422e3129632a3187eee8a658cdca5c5b32ce86308dcc18e9d1'],
  ])('gives the commitment of eprint 2025/758 for a key of bytes %i', (byte, commitment) => {
    const key = createSecretKey(Buffer.alloc(32, byte));
    const empty = Buffer.alloc(0);
    const envelope = sealWithNonce(NONCE, { key, plaintext: empty, authenticatedData: empty });
    expect(envelope.subarray(-32).toString('hex')).toBe(commitment);
  });

  it('gives the accumulated digest of C2SP over 10,000 random cases', () => {
    // Node's SHAKE gives all its output at once: enough of it for 10,000 cases of at most 568 bytes.
    const stream = createHash('shake128', { outputLength: 10_000 * 568 }).digest();
    let offset = 0;
    const read = (size: number): Buffer => {
      offset += size;
      return stream.subarray(offset - size, offset);
    };
    const digest = createHash('shake128', { outputLength: 32 });
    for (let count = 0; count < 10_000; count += 1) {
      const key = createSecretKey(read(32));
      const nonce = read(24);
      const plaintext = read(read(1)[0] ?? 0);
      const authenticatedData = read(read(1)[0] ?? 0);
      const envelope = sealWithNonce(nonce, { key, plaintext, authenticatedData });
      digest.update(envelope.subarray(24, -32));
      if (count % 10 === 0) {
        expect(openEnvelope(key, envelope, authenticatedData).equals(plaintext)).toBe(true);
      }
    }
    expect(digest.digest('hex')).toBe(xaes.accumulated['10000']);
  });
});

describe('what does not open', () => {
  const key = createKey();
  const plaintext = Buffer.from('a value of a person');
  const authenticatedData = Buffer.from('the seal it is bound to');
  const envelope = sealEnvelope(key, plaintext, authenticatedData);

  it('opens untouched and has the stated layout', () => {
    expect(envelope.length).toBe(plaintext.length + ENVELOPE_OVERHEAD_BYTES);
    expect(openEnvelope(key, envelope, authenticatedData)).toEqual(plaintext);
  });

  it('refuses each flipped bit of the envelope', () => {
    for (let bit = 0; bit < envelope.length * 8; bit += 1) {
      const changed = Buffer.from(envelope);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(opens(() => openEnvelope(key, changed, authenticatedData))).toBe(false);
    }
  });

  it('refuses each flipped bit of the authenticated data', () => {
    for (let bit = 0; bit < authenticatedData.length * 8; bit += 1) {
      const changed = Buffer.from(authenticatedData);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(opens(() => openEnvelope(key, envelope, changed))).toBe(false);
    }
  });

  it('refuses each truncation at either end, and anything appended', () => {
    for (let size = 0; size < envelope.length; size += 1) {
      expect(opens(() => openEnvelope(key, envelope.subarray(0, size), authenticatedData))).toBe(
        false,
      );
      expect(opens(() => openEnvelope(key, envelope.subarray(size + 1), authenticatedData))).toBe(
        false,
      );
    }
    const longer = Buffer.concat([envelope, Buffer.alloc(1)]);
    expect(opens(() => openEnvelope(key, longer, authenticatedData))).toBe(false);
  });

  it('refuses another key, and parts of two envelopes put together', () => {
    expect(opens(() => openEnvelope(createKey(), envelope, authenticatedData))).toBe(false);
    const other = sealEnvelope(key, plaintext, authenticatedData);
    for (const cut of [24, 24 + plaintext.length, envelope.length - 32]) {
      const mixed = Buffer.concat([envelope.subarray(0, cut), other.subarray(cut)]);
      expect(opens(() => openEnvelope(key, mixed, authenticatedData))).toBe(false);
    }
  });

  it('refuses a ciphertext made to verify under two keys: the commitment names one', () => {
    // The tag verifies under this key and nonce, as a crafted two-key ciphertext's would; only the
    // commitment is another key's.
    const foreign = sealWithNonce(envelope.subarray(0, 24), {
      key: createKey(),
      plaintext,
      authenticatedData,
    });
    const crafted = Buffer.concat([envelope.subarray(0, -32), foreign.subarray(-32)]);
    expect(opens(() => openEnvelope(key, crafted, authenticatedData))).toBe(false);
  });

  it('refuses a key that has not 32 bytes', () => {
    const short = createSecretKey(Buffer.alloc(16));
    expect(() => sealEnvelope(short, plaintext, authenticatedData)).toThrow('32 bytes');
  });
});

describe('nonces', () => {
  it('never gives one twice, whatever the batches and however keys come and go', () => {
    const seen = new Set<string>();
    const keys = Array.from({ length: 40 }, () => createKey());
    const empty = Buffer.alloc(0);
    for (let round = 0; round < 60; round += 1) {
      for (const key of keys) {
        seen.add(sealEnvelope(key, empty, empty).subarray(0, 24).toString('hex'));
      }
      if (round % 20 === 19) forgetDerivations();
    }
    expect(seen.size).toBe(60 * 40);
  });

  it('opens envelopes of more keys than are kept ready', () => {
    const sealed = Array.from({ length: 1500 }, () => {
      const key = createKey();
      return { key, envelope: sealEnvelope(key, NONCE, NONCE) };
    });
    for (const { key, envelope } of sealed) {
      expect(openEnvelope(key, envelope, NONCE).equals(NONCE)).toBe(true);
    }
  });
});

interface AeadFile {
  readonly testGroups: readonly {
    readonly ivSize: number;
    readonly keySize: number;
    readonly tagSize: number;
    readonly tests: readonly Readonly<
      Record<'key' | 'iv' | 'aad' | 'msg' | 'ct' | 'tag' | 'result', string>
    >[];
  }[];
}

describe('the platform below', () => {
  it('passes Wycheproof AES-GCM for the parameters that envelopes use', () => {
    let count = 0;
    for (const group of parseVectors<AeadFile>('wycheproof/aes_gcm_test.json').testGroups) {
      if (group.keySize !== 256 || group.ivSize !== 96 || group.tagSize !== 128) continue;
      for (const test of group.tests) {
        const key = createSecretKey(Buffer.from(test.key, 'hex'));
        const iv = Buffer.from(test.iv, 'hex');
        const decipher = createDecipheriv('aes-256-gcm', key, iv);
        decipher.setAAD(Buffer.from(test.aad, 'hex'));
        decipher.setAuthTag(Buffer.from(test.tag, 'hex'));
        let opened = true;
        const plaintext = decipher.update(Buffer.from(test.ct, 'hex'));
        try {
          decipher.final();
        } catch {
          opened = false;
        }
        expect(opened).toBe(test.result === 'valid');
        count += 1;
        if (!opened) continue;
        expect(plaintext.toString('hex')).toBe(test.msg);
        const cipher = createCipheriv('aes-256-gcm', key, iv);
        cipher.setAAD(Buffer.from(test.aad, 'hex'));
        expect(cipher.update(Buffer.from(test.msg, 'hex')).toString('hex')).toBe(test.ct);
        cipher.final();
        expect(cipher.getAuthTag().toString('hex')).toBe(test.tag);
      }
    }
    expect(count).toBeGreaterThan(50);
  });
});
