// SPDX-License-Identifier: Apache-2.0
// Azure Managed HSM as its SDK sees it: the bearer challenge, key bundles, encrypt and decrypt with
// A256GCM, and its errors.
import { CloudKeys } from './cloud-keys.ts';
import {
  type FaultyServer,
  type HttpAnswer,
  type HttpQuestion,
  startFaultyServer,
} from './faulty-server.ts';
import { createSelfSigned } from './self-signed.ts';

export interface AzureHsmServer {
  readonly server: FaultyServer;
  /** With the name that its certificate has. */
  readonly url: string;
  readonly cert: string;
  readonly keys: CloudKeys;
  readonly token: string;
}

const TOKEN = 'local-test-server-token';

const refuse = (status: number, code: string, inner?: string): HttpAnswer => ({
  status,
  body: JSON.stringify({
    error: {
      code,
      message: 'refused',
      ...(inner === undefined ? {} : { innererror: { code: inner } }),
    },
  }),
});
const say = (value: object): HttpAnswer => ({ status: 200, body: JSON.stringify(value) });
const bytesOf = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64url');
const NONCE_SIZE_BYTES = 12;
const TAG_SIZE_BYTES = 16;

function useKey(
  keys: CloudKeys,
  name: string,
  version: string,
  question: HttpQuestion,
): HttpAnswer {
  const key = keys.find(name);
  const verb = question.path.split('?')[0]?.split('/').at(-1);
  if (key === undefined) return refuse(404, 'KeyNotFound');
  // Soft-deleted keys are not found under their name.
  if (key.state === 'destroyed') return refuse(404, 'KeyNotFound');
  if (key.state === 'disabled') return refuse(403, 'Forbidden', 'KeyDisabled');
  const fields: Readonly<Record<string, unknown>> = JSON.parse(question.body.toString());
  if (fields['alg'] !== 'A256GCM') return refuse(400, 'BadParameter');
  const data = bytesOf(fields['aad']);
  const kid = `https://${question.headers.host}/keys/${name}/${version}`;
  if (verb === 'encrypt') {
    const { bytes } = keys.encrypt(name, bytesOf(fields['value']), data);
    const tagAt = bytes.length - TAG_SIZE_BYTES;
    return say({
      kid,
      value: bytes.subarray(NONCE_SIZE_BYTES, tagAt).toString('base64url'),
      iv: bytes.subarray(0, NONCE_SIZE_BYTES).toString('base64url'),
      tag: bytes.subarray(tagAt).toString('base64url'),
      aad: fields['aad'],
    });
  }
  const iv = bytesOf(fields['iv']);
  const tag = bytesOf(fields['tag']);
  if (iv.length !== NONCE_SIZE_BYTES || tag.length !== TAG_SIZE_BYTES)
    return refuse(400, 'BadParameter');
  const sealed = {
    version: Number.parseInt(version, 16),
    bytes: Buffer.concat([iv, bytesOf(fields['value']), tag]),
  };
  if (sealed.version > key.version) return refuse(404, 'KeyNotFound');
  const plaintext = keys.decrypt(name, sealed, data);
  if (plaintext === undefined) return refuse(400, 'BadParameter');
  return say({ kid, value: plaintext.toString('base64url') });
}

export async function startAzureHsmServer(): Promise<AzureHsmServer> {
  const keys = new CloudKeys();
  const tls = await createSelfSigned();
  const answer = (question: HttpQuestion): HttpAnswer => {
    const { method, path, headers } = question;
    if (headers.authorization !== `Bearer ${TOKEN}`) {
      const challenge =
        'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://managedhsm.azure.net"';
      return { ...refuse(401, 'Unauthorized'), headers: { 'www-authenticate': challenge } };
    }
    const [route = ''] = path.split('?');
    const match = /^\/keys\/([\w-]+)(?:\/([0-9a-f]*))?(?:\/(encrypt|decrypt))?\/?$/.exec(route);
    const [, name = '', version = '', verb] = match ?? [];
    if (match === null) return refuse(404, 'NotFound');
    if (verb !== undefined) return useKey(keys, name, version, question);
    const key = keys.find(name);
    if (method !== 'GET' || key === undefined || key.state === 'destroyed') {
      return refuse(404, 'KeyNotFound');
    }
    const latest = key.version.toString(16).padStart(32, '0');
    return say({
      key: {
        kid: `https://${headers.host}/keys/${name}/${latest}`,
        kty: 'oct-HSM',
        key_ops: ['encrypt', 'decrypt'],
      },
      attributes: {
        enabled: key.state === 'enabled',
        exportable: false,
        recoveryLevel: 'Recoverable',
      },
    });
  };
  const throttled: HttpAnswer = { ...refuse(429, 'Throttled'), headers: { 'retry-after': '1' } };
  const server = await startFaultyServer({ answer, throttled, tls });
  return { server, url: `https://localhost:${server.port}`, cert: tls.cert, keys, token: TOKEN };
}
