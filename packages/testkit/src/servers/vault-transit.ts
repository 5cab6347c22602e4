// SPDX-License-Identifier: Apache-2.0
// The part of Vault's HTTP API that Transit needs: keys, encrypt, decrypt, tokens, JWT login. Answers and
// error texts are Vault's. A disabled key is one that policy denies, as its owner would do it.
import { randomBytes } from 'node:crypto';
import { CloudKeys } from './cloud-keys.ts';
import {
  type FaultyServer,
  type HttpAnswer,
  type HttpQuestion,
  startFaultyServer,
} from './faulty-server.ts';

export interface VaultServer {
  readonly server: FaultyServer;
  readonly keys: CloudKeys;
  /** A token that is valid now. */
  readonly token: string;
  /** Ends all tokens: whoever can must log in again. */
  revokeTokens(): void;
  /** Log-ins so far. */
  readonly loginsCount: number;
}

const refuse = (status: number, ...errors: readonly string[]): HttpAnswer => ({
  status,
  body: JSON.stringify({ errors }),
});
const say = (data: object): HttpAnswer => ({ status: 200, body: JSON.stringify({ data }) });

function parseFields(body: Buffer): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(body.toString() || '{}');
  return Object(value);
}
const bytesOf = (value: unknown): Buffer => Buffer.from(String(value ?? ''), 'base64');

function useKey(keys: CloudKeys, verb: string, name: string, body: Buffer): HttpAnswer {
  const key = keys.find(name);
  if (key === undefined || key.state === 'destroyed')
    return refuse(400, 'encryption key not found');
  if (key.state === 'disabled') return refuse(403, '1 error occurred:\n\t* permission denied\n\n');
  const fields = parseFields(body);
  const data = bytesOf(fields['associated_data']);
  if (verb === 'encrypt') {
    const { version, bytes } = keys.encrypt(name, bytesOf(fields['plaintext']), data);
    const ciphertext = `vault:v${version}:${bytes.toString('base64')}`;
    return say({ ciphertext, key_version: version });
  }
  const match = /^vault:v(\d+):([A-Za-z0-9+/=]+)$/.exec(String(fields['ciphertext']));
  if (match === null) return refuse(400, 'invalid ciphertext: no prefix');
  const sealed = { version: Number(match[1]), bytes: bytesOf(match[2]) };
  if (sealed.version > key.version) return refuse(400, 'invalid ciphertext: version is too new');
  const plaintext = keys.decrypt(name, sealed, data);
  if (plaintext === undefined) return refuse(400, 'cipher: message authentication failed');
  return say({ plaintext: plaintext.toString('base64') });
}

function describe(keys: CloudKeys, name: string): HttpAnswer {
  const key = keys.find(name);
  if (key?.state === 'disabled') return refuse(403, '1 error occurred:\n\t* permission denied\n\n');
  if (key === undefined || key.state === 'destroyed') return refuse(404);
  return say({
    name,
    type: 'aes256-gcm96',
    derived: false,
    exportable: false,
    allow_plaintext_backup: false,
    deletion_allowed: false,
    latest_version: key.version,
    min_available_version: 0,
    min_decryption_version: 1,
    min_encryption_version: 0,
    supports_encryption: true,
    supports_decryption: true,
    supports_derivation: true,
    supports_signing: false,
  });
}

/** Starts a server with one role, `cell`, that a JWT `good` may take. */
export async function startVaultServer(): Promise<VaultServer> {
  const keys = new CloudKeys();
  const tokens = new Set<string>();
  let loginsCount = 0;
  const login = (): string => {
    const token = `hvs.${randomBytes(16).toString('base64url')}`;
    tokens.add(token);
    return token;
  };
  const answer = ({ method, path, headers, body }: HttpQuestion): HttpAnswer => {
    if (path === '/v1/auth/jwt/login' && method === 'POST') {
      const { role, jwt } = parseFields(body);
      if (role !== 'cell' || jwt !== 'good') return refuse(400, 'error validating token');
      loginsCount += 1;
      const auth = { client_token: login(), lease_duration: 3600, renewable: true };
      return { status: 200, body: JSON.stringify({ auth }) };
    }
    if (!tokens.has(String(headers['x-vault-token']))) {
      return refuse(403, '2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n');
    }
    if (path === '/v1/auth/token/lookup-self') return say({ policies: ['cell'] });
    const match = /^\/v1\/transit\/(keys|encrypt|decrypt)\/([^/]+)$/.exec(path);
    if (match === null) return refuse(404, 'no handler for route');
    const [, verb = '', name = ''] = match;
    if (verb === 'keys' && method === 'GET') return describe(keys, name);
    if (verb === 'keys' && method === 'POST') {
      if (keys.find(name) === undefined) keys.make(name);
      return { status: 204, body: '' };
    }
    return method === 'POST'
      ? useKey(keys, verb, name, body)
      : refuse(405, 'unsupported operation');
  };
  const throttled = refuse(429, 'request path "transit/decrypt": rate limit quota exceeded');
  const server = await startFaultyServer({ answer, throttled });
  return {
    server,
    keys,
    token: login(),
    revokeTokens: () => tokens.clear(),
    get loginsCount() {
      return loginsCount;
    },
  };
}
