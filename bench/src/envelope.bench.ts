// SPDX-License-Identifier: Apache-2.0
// What a committing envelope costs beside bare AES-256-GCM: 1 KB, one thread, the same authenticated data
// (a seal of usual length), nonces from a pool of random bytes, a KeyObject on both sides, both results in
// one Buffer. Ours derives a key and a commitment for each nonce; the baseline does neither.
// `envelope.seal.new-key` uses each key once, as a bulk ingest of many people does.
import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  randomFillSync,
} from 'node:crypto';
import { openEnvelope, sealEnvelope } from '@bailiwick/keys';
import {
  type BenchDocument,
  type BenchResult,
  measureRate,
  measureRounds,
  toBenchDocument,
} from './document.ts';

const PLAINTEXT = randomBytes(1024);
const AUTHENTICATED_DATA = randomBytes(160);
const KEY = createSecretKey(randomBytes(32));
const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;
const KEYS_COUNT = 4096;
const ROUND_MS = 400;

const pool = Buffer.alloc(NONCE_SIZE_BYTES * 1024);
let poolOffset = pool.length;

function takeNonce(): Buffer {
  if (poolOffset === pool.length) {
    randomFillSync(pool);
    poolOffset = 0;
  }
  poolOffset += NONCE_SIZE_BYTES;
  return pool.subarray(poolOffset - NONCE_SIZE_BYTES, poolOffset);
}

function sealPlain(key = KEY): Buffer {
  const nonce = takeNonce();
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(AUTHENTICATED_DATA);
  const ciphertext = cipher.update(PLAINTEXT);
  cipher.final();
  return Buffer.concat([nonce, ciphertext, cipher.getAuthTag()]);
}

function openPlain(message: Buffer): Buffer {
  const tagOffset = message.length - TAG_SIZE_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', KEY, message.subarray(0, NONCE_SIZE_BYTES));
  decipher.setAAD(AUTHENTICATED_DATA);
  decipher.setAuthTag(message.subarray(tagOffset));
  const plaintext = decipher.update(message.subarray(NONCE_SIZE_BYTES, tagOffset));
  decipher.final();
  return plaintext;
}

const repeat =
  (work: (index: number) => unknown): ((count: number) => void) =>
  (count) => {
    for (let index = 0; index < count; index += 1) work(index);
  };

async function measure(
  id: string,
  what: string,
  work: { readonly ours: (index: number) => unknown; readonly plain: (index: number) => unknown },
): Promise<BenchResult> {
  const { value, baseline, ratio } = await measureRounds({
    ours: () => measureRate(repeat(work.ours), ROUND_MS),
    baseline: () => measureRate(repeat(work.plain), ROUND_MS),
    rounds: 9,
  });
  const name = 'node:crypto AES-256-GCM, KeyObject, pooled nonces';
  return { id, what, unit: 'op/s', value, baseline: { name, value: baseline }, ratio };
}

/** `npm run bench -- envelope` */
export async function run(): Promise<BenchDocument> {
  const envelope = sealEnvelope(KEY, PLAINTEXT, AUTHENTICATED_DATA);
  const message = sealPlain();
  const keys = Array.from({ length: KEYS_COUNT }, () => createSecretKey(randomBytes(32)));
  const keyAt = (index: number): typeof KEY => keys[index % KEYS_COUNT] ?? KEY;
  return toBenchDocument('envelope', [
    await measure('envelope.seal.1k', 'seal 1 KB under one key; one unrecorded round each', {
      ours: () => sealEnvelope(KEY, PLAINTEXT, AUTHENTICATED_DATA),
      plain: () => sealPlain(),
    }),
    await measure('envelope.open.1k', 'open 1 KB under one key; one unrecorded round each', {
      ours: () => openEnvelope(KEY, envelope, AUTHENTICATED_DATA),
      plain: () => openPlain(message),
    }),
    await measure(
      'envelope.seal.new-key',
      'seal 1 KB, each time under a key whose state is not kept ready any more',
      {
        ours: (index) => sealEnvelope(keyAt(index), PLAINTEXT, AUTHENTICATED_DATA),
        plain: (index) => sealPlain(keyAt(index)),
      },
    ),
  ]);
}
