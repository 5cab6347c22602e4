// SPDX-License-Identifier: Apache-2.0
// Google Cloud KMS as its SDK sees it over REST: keys, versions and their states, checksums, bearer tokens,
// and errors in Google's form.
import { CloudKeys } from './cloud-keys.ts';
import {
  type FaultyServer,
  type HttpAnswer,
  type HttpQuestion,
  startFaultyServer,
} from './faulty-server.ts';

export interface GcpKmsServer {
  readonly server: FaultyServer;
  readonly keys: CloudKeys;
  readonly keyRing: string;
  /** The access token that is valid. */
  readonly token: string;
}

const KEY_RING = 'projects/acme/locations/europe-west3/keyRings/bailiwick';
const TOKEN = 'ya29.local-test-server';
/** CryptoKeyVersionState. */
const STATES = { enabled: 1, disabled: 2, destroyed: 4 } as const;

const refuse = (code: number, status: string, message: string): HttpAnswer => ({
  status: code,
  body: JSON.stringify({ error: { code, message, status } }),
});
const say = (value: object): HttpAnswer => ({ status: 200, body: JSON.stringify(value) });

/** CRC-32C, bit by bit. */
function checksum(bytes: Buffer): string {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return String((crc ^ 0xffff_ffff) >>> 0);
}

const bytesOf = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64');

function describe(keys: CloudKeys, name: string, path: string): HttpAnswer {
  const key = keys.find(name);
  if (key === undefined) return refuse(404, 'NOT_FOUND', `CryptoKey ${path} not found.`);
  const primary = {
    name: `${path}/cryptoKeyVersions/${key.version}`,
    state: STATES[key.state],
    protectionLevel: 2,
    algorithm: 1,
  };
  return say({ name: path, purpose: 1, primary });
}

function useKey(keys: CloudKeys, name: string, verb: string, body: Buffer): HttpAnswer {
  const key = keys.find(name);
  if (key === undefined) return refuse(404, 'NOT_FOUND', 'CryptoKey not found.');
  if (key.state !== 'enabled') {
    return refuse(400, 'FAILED_PRECONDITION', 'CryptoKeyVersion is not enabled.');
  }
  const fields: Readonly<Record<string, unknown>> = JSON.parse(body.toString());
  const data = bytesOf(fields['additionalAuthenticatedData']);
  const isWhole = (value: string): boolean =>
    fields[`${value}Crc32c`] === checksum(bytesOf(fields[value]));
  if (!isWhole('additionalAuthenticatedData')) {
    return refuse(400, 'INVALID_ARGUMENT', 'The checksum did not match.');
  }
  if (verb === 'encrypt') {
    if (!isWhole('plaintext')) return refuse(400, 'INVALID_ARGUMENT', 'checksum');
    const { version, bytes } = keys.encrypt(name, bytesOf(fields['plaintext']), data);
    const ciphertext = Buffer.concat([Buffer.from([version]), bytes]);
    return say({
      name: `${KEY_RING}/cryptoKeys/${name}/cryptoKeyVersions/${version}`,
      ciphertext: ciphertext.toString('base64'),
      ciphertextCrc32c: checksum(ciphertext),
      verifiedPlaintextCrc32c: true,
      verifiedAdditionalAuthenticatedDataCrc32c: true,
      protectionLevel: 2,
    });
  }
  const ciphertext = bytesOf(fields['ciphertext']);
  const sealed = { version: ciphertext[0] ?? 0, bytes: ciphertext.subarray(1) };
  const plaintext = keys.decrypt(name, sealed, data);
  if (plaintext === undefined) {
    return refuse(400, 'INVALID_ARGUMENT', 'Decryption failed: the ciphertext is invalid.');
  }
  return say({
    plaintext: plaintext.toString('base64'),
    plaintextCrc32c: checksum(plaintext),
    usedPrimary: sealed.version === key.version,
    protectionLevel: 2,
  });
}

export async function startGcpKmsServer(): Promise<GcpKmsServer> {
  const keys = new CloudKeys();
  const answer = ({ method, path, headers, body }: HttpQuestion): HttpAnswer => {
    if (headers.authorization !== `Bearer ${TOKEN}`) {
      return refuse(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.');
    }
    const [route = ''] = path.split('?');
    const match = /^\/v1\/(.+)\/cryptoKeys\/([\w-]+)(?::(encrypt|decrypt))?$/.exec(route);
    if (match?.[1] !== KEY_RING) return refuse(404, 'NOT_FOUND', 'not found');
    const [, , name = '', verb] = match;
    if (method === 'GET' && verb === undefined) return describe(keys, name, route.slice(4));
    if (method === 'POST' && verb !== undefined) return useKey(keys, name, verb, body);
    return refuse(404, 'NOT_FOUND', 'not found');
  };
  const throttled = refuse(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.');
  const server = await startFaultyServer({ answer, throttled });
  return { server, keys, keyRing: KEY_RING, token: TOKEN };
}
