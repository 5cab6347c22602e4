// SPDX-License-Identifier: Apache-2.0
// Customer keys in HashiCorp Vault or OpenBao: Transit over its plain HTTP API. The wrap's context is the
// operation's `associated_data`.
import { readFileSync } from 'node:fs';
import {
  createProvider,
  decodeBase64,
  disabledKey,
  type ExternalKeys,
  encodeBase64,
  type OccasionedProvider,
  PROVIDER_TIMEOUT_MS,
  type ProviderOptions,
  type Question,
  takeSecretField,
  unavailable,
  unknownKey,
  unreadableKey,
} from '@bailiwick/customer-keys';
import { type CustomerKeyStatus, KeysError } from '@bailiwick/keys';
import { Agent } from 'undici';

/** How this workload shows who it is. Files are read anew at each log-in. */
export type VaultAuth =
  /** A service account's or any other workload's JWT; `kubernetes` and `jwt` mounts. */
  | {
      readonly kind: 'jwt';
      readonly mount: string;
      readonly role: string;
      readonly jwtFile: string;
    }
  /** A token that Vault Agent keeps fresh in a file. */
  | { readonly kind: 'token-file'; readonly file: string };

export interface VaultOptions extends ProviderOptions {
  /** `https://vault.example:8200`; plain http on the loopback address only, as Vault Agent has it. */
  readonly url: string;
  readonly auth: VaultAuth;
  /** Where Transit is mounted. */
  readonly mount?: string;
  readonly namespace?: string;
  readonly caFile?: string;
  /** Whether keys may be made here. */
  readonly createsKeys: boolean;
}

interface Reply {
  readonly status: number;
  readonly body: Buffer;
}
type Fields = Readonly<Record<string, unknown>>;

const BODY_SIZE_BYTES_MAX = 65_536;
const CONNECTIONS_COUNT_MAX = 16;
const NAME = /^[A-Za-z0-9_-]{1,128}$/;
const MOUNT = /^[A-Za-z0-9_/-]{1,128}$/;
const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost'];
const CIPHERTEXT = /^vault:v\d{1,9}:[A-Za-z0-9+/=]{1,4000}$/;

function misconfigured(problem: string): KeysError {
  return new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem);
}

function parseFields(body: Buffer): Fields {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Fields;
  } catch {
    // Told below.
  }
  throw unavailable('failed');
}

function parsePart(body: Buffer, name: string): Fields {
  const part = parseFields(body)[name];
  if (typeof part !== 'object' || part === null) throw unavailable('failed');
  return part as Fields;
}

/** Vault's own words for a ciphertext that is not this key's in this context. */
const UNREADABLE =
  /message authentication failed|invalid ciphertext|invalid key version|ciphertext or signature version|unable to decrypt/i;
const NOT_FOUND = /key not found/i;

class VaultClient {
  readonly #options: VaultOptions;
  readonly #agent: Agent;
  readonly #jwtLogin: (VaultAuth & { readonly kind: 'jwt' }) | undefined;
  #token: string | undefined;
  #loggingIn: Promise<string> | undefined;

  constructor(options: VaultOptions) {
    const { url, caFile, timeoutMs = PROVIDER_TIMEOUT_MS, mount = 'transit', auth } = options;
    const parsed = URL.parse(url);
    const isPlain = parsed?.protocol === 'http:' && LOOPBACK.includes(parsed.hostname);
    if (parsed === null || (parsed.protocol !== 'https:' && !isPlain)) {
      throw misconfigured('url of Vault must be https://, or http:// on the loopback address');
    }
    if (!MOUNT.test(mount) || (auth.kind === 'jwt' && !MOUNT.test(auth.mount))) {
      throw misconfigured('mount of Vault is invalid');
    }
    this.#options = options;
    this.#jwtLogin = auth.kind === 'jwt' ? auth : undefined;
    this.#agent = new Agent({
      connections: CONNECTIONS_COUNT_MAX,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: BODY_SIZE_BYTES_MAX,
      connect: {
        timeout: timeoutMs,
        ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
      },
    });
  }

  async #send(
    method: 'GET' | 'POST',
    path: string,
    token: string | undefined,
    body: Buffer | undefined,
    { signal }: Question,
  ): Promise<Reply> {
    const { namespace } = this.#options;
    const send = () =>
      this.#agent.request({
        origin: new URL(this.#options.url).origin,
        path: `/v1/${path}`,
        method,
        body: body ?? null,
        signal,
        headers: {
          'x-vault-request': 'true',
          ...(token === undefined ? {} : { 'x-vault-token': token }),
          ...(namespace === undefined ? {} : { 'x-vault-namespace': namespace }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      });
    try {
      // A connection that broke is tried once more: all that is asked can be asked again.
      const response = await send().catch((error: unknown) => {
        if (signal.aborted) throw error;
        return send();
      });
      const chunks: Buffer[] = [];
      for await (const chunk of response.body) chunks.push(Buffer.from(chunk));
      const whole = Buffer.alloc(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
      let at = 0;
      for (const chunk of chunks) {
        at += chunk.copy(whole, at);
        chunk.fill(0);
      }
      return { status: response.statusCode, body: whole };
    } catch {
      throw unavailable(signal.aborted ? 'timeout' : 'unreachable');
    }
  }

  /** One log-in at a time, whoever waits for it. */
  #logIn(question: Question): Promise<string> {
    const { auth } = this.#options;
    if (auth.kind === 'token-file') return Promise.resolve(readText(auth.file));
    this.#loggingIn ??= this.#logInByJwt(auth, question).finally(() => {
      this.#loggingIn = undefined;
    });
    return this.#loggingIn;
  }

  async #logInByJwt(
    { mount, role, jwtFile }: VaultAuth & { readonly kind: 'jwt' },
    question: Question,
  ): Promise<string> {
    const body = Buffer.from(JSON.stringify({ role, jwt: readText(jwtFile) }));
    const reply = await this.#send('POST', `auth/${mount}/login`, undefined, body, question);
    if (reply.status !== 200) {
      throw reply.status === 429 || reply.status >= 500
        ? toFailure(reply)
        : unavailable('unauthenticated');
    }
    const { client_token: token } = parsePart(reply.body, 'auth');
    if (typeof token !== 'string') throw unavailable('failed');
    return token;
  }

  /** Asks; a token that is no longer good is replaced once. */
  async ask(
    method: 'GET' | 'POST',
    path: string,
    body: Buffer | undefined,
    question: Question,
  ): Promise<Reply> {
    const mount = this.#options.mount ?? 'transit';
    const full = `${mount}/${path}`;
    this.#token ??= await this.#logIn(question);
    const reply = await this.#send(method, full, this.#token, body, question);
    if (reply.status !== 403) return reply;
    // Vault says 403 both to a bad token and to a good one that policy denies.
    const self = await this.#send(
      'GET',
      'auth/token/lookup-self',
      this.#token,
      undefined,
      question,
    );
    if (self.status === 200) return reply;
    if (self.status !== 403) throw toFailure(self);
    const before = this.#token;
    this.#token = await this.#logIn(question);
    if (this.#token === before && this.#jwtLogin === undefined)
      throw unavailable('unauthenticated');
    const again = await this.#send(method, full, this.#token, body, question);
    return again;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    throw misconfigured('file of the Vault token or JWT cannot be read');
  }
}

function toFailure({ status, body }: Reply): KeysError {
  const text = body.toString('utf8');
  if (status === 403) return disabledKey();
  if (status === 404 || (status === 400 && NOT_FOUND.test(text))) return unknownKey();
  if (status === 400 && UNREADABLE.test(text)) return unreadableKey();
  if (status === 429) return unavailable('throttled');
  return unavailable('failed');
}

/** A body with one secret in it that never is a string. */
function toBody(name: string, secret: Buffer, associatedData: Buffer): Buffer {
  const text = encodeBase64(secret);
  const head = Buffer.from(`{"${name}":"`);
  const tail = Buffer.from(`","associated_data":"${encodeBase64(associatedData).toString()}"}`);
  const body = Buffer.alloc(head.length + text.length + tail.length);
  head.copy(body, 0);
  text.copy(body, head.length);
  tail.copy(body, head.length + text.length);
  text.fill(0);
  return body;
}

function toStatus(reply: Reply): CustomerKeyStatus {
  if (reply.status === 404) return 'absent';
  if (reply.status === 403) return 'disabled';
  if (reply.status !== 200) throw toFailure(reply);
  const data = parsePart(reply.body, 'data');
  // SECURITY: an exportable key is not one that never leaves; a derived one needs a context of its own.
  if (data['type'] !== 'aes256-gcm96') throw misconfigured('Transit key must be aes256-gcm96');
  if (data['exportable'] === true || data['allow_plaintext_backup'] === true) {
    throw misconfigured('Transit key must not be exportable');
  }
  return data['soft_deleted'] === true ? 'disabled' : 'enabled';
}

function toKeys(client: VaultClient, options: VaultOptions): ExternalKeys {
  const check = (name: string): string => {
    if (!NAME.test(name)) throw misconfigured('name of a Transit key is invalid');
    return name;
  };
  const findStatus = async (name: string, question: Question): Promise<CustomerKeyStatus> =>
    toStatus(await client.ask('GET', `keys/${check(name)}`, undefined, question));
  return {
    kind: 'vault',
    findStatus,
    ...(options.createsKeys
      ? {
          async ensure(name, question) {
            const body = Buffer.from('{"type":"aes256-gcm96","exportable":false}');
            const reply = await client.ask('POST', `keys/${check(name)}`, body, question);
            if (reply.status >= 300) throw toFailure(reply);
          },
        }
      : {}),
    async encrypt(name, plaintext, question) {
      // SECURITY: with the capability `create`, Vault makes a missing key at the first encryption.
      const status = await findStatus(name, question);
      if (status === 'absent') throw unknownKey();
      if (status === 'disabled') throw disabledKey();
      const body = toBody('plaintext', plaintext, question.authenticatedData);
      const reply = await client
        .ask('POST', `encrypt/${check(name)}`, body, question)
        .finally(() => body.fill(0));
      if (reply.status !== 200) throw toFailure(reply);
      const { ciphertext } = parsePart(reply.body, 'data');
      if (typeof ciphertext !== 'string' || !CIPHERTEXT.test(ciphertext))
        throw unavailable('failed');
      return Buffer.from(ciphertext, 'latin1');
    },
    async decrypt(name, ciphertext, question) {
      const text = ciphertext.toString('latin1');
      // Strict, so that a wrap has one text: what was changed is told before Vault is asked.
      const match = CIPHERTEXT.test(text) ? text.slice(text.indexOf(':', 7) + 1) : undefined;
      if (match === undefined || decodeBase64(Buffer.from(match)) === undefined)
        throw unreadableKey();
      const associated = encodeBase64(question.authenticatedData).toString('latin1');
      const body = Buffer.from(JSON.stringify({ ciphertext: text, associated_data: associated }));
      const reply = await client.ask('POST', `decrypt/${check(name)}`, body, question);
      if (reply.status !== 200) throw toFailure(reply);
      try {
        const field = takeSecretField(reply.body, 'plaintext', { level: 2 });
        if (field.kind !== 'found') throw unavailable('failed');
        return field.bytes;
      } finally {
        reply.body.fill(0);
      }
    },
  };
}

export interface VaultProvider extends OccasionedProvider {
  close(): Promise<void>;
}

/** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` */
export function openVaultProvider(options: VaultOptions): VaultProvider {
  const client = new VaultClient(options);
  return { ...createProvider(toKeys(client, options), options), close: () => client.close() };
}
