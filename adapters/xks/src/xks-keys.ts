// SPDX-License-Identifier: Apache-2.0
// Customer keys that the customer holds: this side asks the customer's proxy to encrypt and decrypt tenant
// keys; the customer key never leaves the customer. The additional authenticated data of each request is
// the wrap's context in canonical form, so that the proxy can read, authorise and log what it is asked.
import { randomUUID } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import {
  type ContextQuestion,
  createProvider,
  decodeBase64,
  disabledKey,
  type ExternalKeys,
  encodeAeadCiphertext,
  encodeBase64,
  type OccasionedProvider,
  type ProviderOptions,
  parseAeadCiphertext,
  type Question,
  takeSecretField,
  unavailable,
  unknownKey,
  unreadableKey,
} from '@bailiwick/customer-keys';
import { KeysError, type WrapContext } from '@bailiwick/keys';
import { Agent } from 'undici';
import { createConnector, type ProxyTlsOptions } from './connector.ts';
import {
  ACCESS_KEY_ID,
  API_PATH,
  BODY_SIZE_BYTES_MAX,
  CIPHERTEXT_METADATA_SIZE_BYTES_MAX,
  EXTERNAL_KEY_ID,
  IV_SIZES_BYTES,
  isXksErrorName,
  OCCASION_HEADER,
  SECRET_ACCESS_KEY,
  TAG_SIZE_BYTES,
  toIntegrityValue,
  URI_PATH_PREFIX,
  type XksErrorName,
} from './protocol.ts';
import { type SigningCredential, signRequest, toAmzDate } from './sigv4.ts';

export interface XksOptions {
  /** `https://keys.customer.example`, with a port where it is not 443. */
  readonly url: string;
  /** What stands before `/kms/xks/v1` in the path. */
  readonly uriPathPrefix?: string;
  readonly accessKeyId: string;
  /** Holds the secret access key; private to this account. Read anew when it changes. */
  readonly secretFile: string;
  readonly tls: ProxyTlsOptions;
  /** Region named in signatures; the proxy logs it. */
  readonly region?: string;
  /** This workload's id, told to the proxy when a question brings no occasion of its own. */
  readonly workload: string;
  /** The provider's word for itself in wraps. Changing it makes wraps unreadable. */
  readonly kind?: string;
  readonly timeoutMs?: number;
  readonly connectionsCountMax?: number;
}

type Answer = Readonly<Record<string, unknown>>;
interface Reply {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly body: Buffer;
}

const DEFAULT_TIMEOUT_MS = 1000;
const CONNECTIONS_COUNT_MAX = 16;

function misconfigured(problem: string): KeysError {
  return new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem);
}

/** What an error name of the protocol means to the port. */
export function toKeysFailure(name: XksErrorName, retryAfterMs?: number): KeysError {
  switch (name) {
    case 'KeyNotFoundException':
      return unknownKey();
    // The customer said no, in one of three ways.
    case 'InvalidStateException':
    case 'InvalidKeyUsageException':
    case 'AccessDeniedException':
      return disabledKey();
    case 'InvalidCiphertextException':
      return unreadableKey();
    case 'AuthenticationFailedException':
      return unavailable('unauthenticated');
    case 'InvalidUriPathException':
      return misconfigured('proxy has no key store under this path');
    case 'ThrottlingException':
      return unavailable('throttled', retryAfterMs === undefined ? {} : { retryAfterMs });
    case 'DependencyTimeoutException':
      return unavailable('timeout');
    case 'ValidationException':
    case 'UnsupportedOperationException':
    case 'InternalException':
      return unavailable('failed');
  }
}

/** Reads the secret when its file has changed. */
function followCredential(options: XksOptions): () => SigningCredential {
  const { accessKeyId, secretFile } = options;
  if (!ACCESS_KEY_ID.test(accessKeyId))
    throw misconfigured('access key id must be 20–30 of A–Z, 2–7');
  let stamp = '';
  let credential: SigningCredential | undefined;
  return () => {
    let now: string;
    try {
      const { mtimeMs, size, ino, mode } = statSync(secretFile);
      if ((mode & 0o077) !== 0) throw misconfigured('file of the secret access key must be 0600');
      now = `${ino}:${size}:${mtimeMs}`;
      if (credential !== undefined && now === stamp) return credential;
      const read = readFileSync(secretFile);
      const secret = Buffer.from(read.subarray(0, read.at(-1) === 0x0a ? -1 : read.length));
      read.fill(0);
      if (!SECRET_ACCESS_KEY.test(secret.toString('latin1'))) {
        throw misconfigured('secret access key must be 43–64 characters of Base64');
      }
      credential = { accessKeyId, secretAccessKey: secret };
      stamp = now;
      return credential;
    } catch (error) {
      if (error instanceof KeysError) throw error;
      throw misconfigured('secret access key cannot be read');
    }
  };
}

function parseAnswer(body: Buffer): Answer {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Answer;
  } catch {
    // Told below.
  }
  throw unavailable('failed');
}

function takeBytes(answer: Answer, name: string): Buffer {
  const text = answer[name];
  const bytes = typeof text === 'string' ? decodeBase64(Buffer.from(text, 'latin1')) : undefined;
  if (bytes === undefined) throw unavailable('failed');
  return bytes;
}

function toMetadata(operation: string, context: WrapContext | undefined): string {
  const common = { kmsOperation: operation, kmsRequestId: randomUUID() };
  if (context === undefined) {
    return JSON.stringify({ ...common, awsPrincipalArn: 'arn:bailiwick:iam:::cell' });
  }
  const { cellId, tenantId, under } = context;
  return JSON.stringify({
    ...common,
    awsPrincipalArn: `arn:bailiwick:iam::${tenantId}:cell/${cellId}`,
    kmsKeyArn: `arn:bailiwick:kms:${cellId.split('/')[0] ?? ''}:${tenantId}:key/${under}`,
    kmsViaService: 'bailiwick',
  });
}

/** Speaks to one key store of one proxy. */
class XksClient {
  readonly #options: XksOptions;
  readonly #agent: Agent;
  readonly #host: string;
  readonly #credential: () => SigningCredential;

  constructor(options: XksOptions) {
    const { url, uriPathPrefix = '', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    const parsed = URL.parse(url);
    if (parsed?.protocol !== 'https:' || parsed.pathname !== '/' || parsed.search !== '') {
      throw misconfigured('url of a proxy must be https:// and a host');
    }
    if (!URI_PATH_PREFIX.test(uriPathPrefix))
      throw misconfigured('path prefix of a proxy is invalid');
    this.#options = options;
    this.#host = parsed.host;
    this.#credential = followCredential(options);
    this.#agent = new Agent({
      connect: createConnector(options.tls, timeoutMs),
      connections: options.connectionsCountMax ?? CONNECTIONS_COUNT_MAX,
      pipelining: 1,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      maxResponseSize: BODY_SIZE_BYTES_MAX,
    });
  }

  async #send(path: string, body: Buffer, question: Question): Promise<Reply> {
    const amzDate = toAmzDate(Date.now());
    const { workload = this.#options.workload, purpose = 'lease' } = question.occasion ?? {};
    const signed = {
      'content-type': 'application/json',
      host: this.#host,
      'x-amz-date': amzDate,
      [OCCASION_HEADER]: `workload=${encodeURIComponent(workload)};purpose=${encodeURIComponent(purpose)}`,
    };
    const region = this.#options.region ?? 'bailiwick-1';
    const authorization = signRequest({ path, headers: signed, body }, this.#credential(), {
      region,
      amzDate,
    });
    const response = await this.#agent.request({
      origin: this.#options.url,
      path,
      method: 'POST',
      headers: { ...signed, authorization },
      body,
      signal: question.signal,
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response.body) chunks.push(Buffer.from(chunk));
    const whole = Buffer.alloc(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      whole.set(chunk, at);
      at += chunk.length;
      chunk.fill(0);
    }
    const retryAfter = Number(response.headers['retry-after']);
    return {
      status: response.statusCode,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1000 : undefined,
      body: whole,
    };
  }

  /** Asks; a connection that breaks is tried once more within the deadline: every question is repeatable. */
  async ask(path: string, body: Buffer, question: Question): Promise<Buffer> {
    const full = `${this.#options.uriPathPrefix ?? ''}${API_PATH}${path}`;
    let reply: Reply;
    try {
      try {
        reply = await this.#send(full, body, question);
      } catch (error) {
        if (question.signal.aborted || error instanceof KeysError) throw error;
        reply = await this.#send(full, body, question);
      }
    } catch (error) {
      if (error instanceof KeysError) throw error;
      throw unavailable(question.signal.aborted ? 'timeout' : 'unreachable');
    }
    if (reply.status === 200) return reply.body;
    const { errorName } = parseAnswer(reply.body);
    if (!isXksErrorName(errorName)) throw unavailable('failed');
    throw toKeysFailure(errorName, reply.retryAfterMs);
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }
}

/** A body of public fields and one secret one, which never is a string. */
function toBody(fields: Answer, metadata: string, secret?: readonly [string, Buffer]): Buffer {
  const head = Buffer.from(`{"requestMetadata":${metadata},${JSON.stringify(fields).slice(1, -1)}`);
  if (secret === undefined) return Buffer.concat([head, Buffer.from('}')]);
  const [name, bytes] = secret;
  const text = encodeBase64(bytes);
  const body = Buffer.alloc(head.length + name.length + text.length + 7);
  let at = head.copy(body, 0);
  at += body.write(`,"${name}":"`, at, 'latin1');
  at += text.copy(body, at);
  body.write('"}', at, 'latin1');
  text.fill(0);
  return body;
}

const toText = (bytes: Uint8Array): string => encodeBase64(bytes).toString('latin1');

async function encrypt(
  client: XksClient,
  name: string,
  plaintext: Buffer,
  question: ContextQuestion,
): Promise<Buffer> {
  const { authenticatedData, context } = question;
  const fields = {
    additionalAuthenticatedData: toText(authenticatedData),
    encryptionAlgorithm: 'AES_GCM',
    ciphertextDataIntegrityValueAlgorithm: 'SHA_256',
  };
  const body = toBody(fields, toMetadata('Encrypt', context), ['plaintext', plaintext]);
  const answer = parseAnswer(
    await client.ask(`/keys/${name}/encrypt`, body, question).finally(() => body.fill(0)),
  );
  const metadata =
    answer['ciphertextMetadata'] === undefined
      ? Buffer.alloc(0)
      : takeBytes(answer, 'ciphertextMetadata');
  const sealed = {
    version: metadata,
    iv: takeBytes(answer, 'initializationVector'),
    ciphertext: takeBytes(answer, 'ciphertext'),
    tag: takeBytes(answer, 'authenticationTag'),
  };
  const integrity = takeBytes(answer, 'ciphertextDataIntegrityValue');
  const isSound =
    metadata.length <= CIPHERTEXT_METADATA_SIZE_BYTES_MAX &&
    IV_SIZES_BYTES.includes(sealed.iv.length) &&
    sealed.tag.length === TAG_SIZE_BYTES &&
    sealed.ciphertext.length === plaintext.length &&
    toIntegrityValue({ ...sealed, metadata, authenticatedData }).equals(integrity);
  if (!isSound) throw unavailable('failed');
  return encodeAeadCiphertext(sealed);
}

async function decrypt(
  client: XksClient,
  name: string,
  wrap: Buffer,
  question: ContextQuestion,
): Promise<Buffer> {
  const { version, iv, tag, ciphertext } = parseAeadCiphertext(wrap);
  const fields = {
    ciphertext: toText(ciphertext),
    ...(version.length === 0 ? {} : { ciphertextMetadata: toText(version) }),
    encryptionAlgorithm: 'AES_GCM',
    additionalAuthenticatedData: toText(question.authenticatedData),
    authenticationTag: toText(tag),
    initializationVector: toText(iv),
  };
  const body = toBody(fields, toMetadata('Decrypt', question.context));
  const answer = await client.ask(`/keys/${name}/decrypt`, body, question);
  try {
    const field = takeSecretField(answer, 'plaintext');
    if (field.kind !== 'found' || field.bytes.length !== ciphertext.length) {
      throw unavailable('failed');
    }
    return field.bytes;
  } finally {
    answer.fill(0);
  }
}

/** A customer's proxy as a provider of customer keys. */
export interface XksProvider extends OccasionedProvider {
  /** Throws unless the proxy says that it can serve. */
  checkHealth(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a customer's proxy. Makes no key: keys are the customer's own.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export function openXksProvider(
  options: XksOptions & Pick<ProviderOptions, 'nameOf' | 'inFlightCountMax'>,
): XksProvider {
  const { kind = 'xks', timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const client = new XksClient(options);
  const checkName = (name: string): string => {
    if (!EXTERNAL_KEY_ID.test(name)) throw misconfigured('external key id is invalid');
    return name;
  };
  const keys: ExternalKeys = {
    kind,
    async findStatus(name, question) {
      const body = Buffer.from(`{"requestMetadata":${toMetadata('DescribeKey', undefined)}}`);
      const path = `/keys/${checkName(name)}/metadata`;
      let answer: Answer;
      try {
        answer = parseAnswer(await client.ask(path, body, question));
      } catch (error) {
        const code = error instanceof KeysError ? error.code : '';
        if (code === 'KEYS_CUSTOMER_KEY_UNKNOWN') return 'absent';
        if (code === 'KEYS_CUSTOMER_KEY_DISABLED') return 'disabled';
        throw error;
      }
      const { keySpec, keyUsage, keyStatus } = answer;
      if (keySpec !== 'AES_256' || !Array.isArray(keyUsage)) throw unavailable('failed');
      if (keyStatus !== 'ENABLED' && keyStatus !== 'DISABLED') throw unavailable('failed');
      const canBoth = keyUsage.includes('ENCRYPT') && keyUsage.includes('DECRYPT');
      return keyStatus === 'ENABLED' && canBoth ? 'enabled' : 'disabled';
    },
    encrypt: (name, plaintext, question) => encrypt(client, checkName(name), plaintext, question),
    decrypt: (name, wrap, question) => decrypt(client, checkName(name), wrap, question),
  };
  return {
    ...createProvider(keys, { ...options, timeoutMs }),
    async checkHealth(signal) {
      const body = Buffer.from(`{"requestMetadata":${toMetadata('KmsHealthCheck', undefined)}}`);
      const { ekmFleetDetails } = parseAnswer(await client.ask('/health', body, { signal }));
      if (!Array.isArray(ekmFleetDetails) || ekmFleetDetails.length === 0)
        throw unavailable('failed');
    },
    close: () => client.close(),
  };
}
