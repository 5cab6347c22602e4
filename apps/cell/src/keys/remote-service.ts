// SPDX-License-Identifier: Apache-2.0
// The key service as a process of the cell reaches it: over mTLS, its identity pinned by SPIFFE id.
import type { KeyObject } from 'node:crypto';
import type { KeyChangeRow, RotationRow } from '@bailiwick/keys';
import { KeysError, type KeysErrorCode, LEASE_MS, wipe } from '@bailiwick/keys';
import { createMtlsConnector, type Identity } from '@bailiwick/pki';
import { Agent, request } from 'undici';
import type {
  ErasureReceipt,
  KeyDescription,
  KeyReport,
  KeyRequest,
  KeyServiceApi,
  LeaseService,
  NumberedDrop,
  OpenedShredKeys,
  Registration,
  Renewal,
  ReservedMaterial,
  TenantMaterial,
} from '../key-service/api.ts';
import { MESSAGE_SIZE_BYTES_MAX, parseMessage } from '../key-service/wire.ts';
import { fromLinkProblem } from './key-link.ts';

/** Where the key service listens and who it must be. */
export interface KeyServiceAddress {
  readonly host: string;
  readonly port: number;
  readonly spiffeId: string;
}

/** The key service, to be closed. */
export interface RemoteKeyService extends KeyServiceApi {
  close(): Promise<void>;
}

const CALL_TIMEOUT_MS = 10_000;
/** An erasure waits for leases and disks. */
const ERASURE_TIMEOUT_MS = 60_000;
/** The stream tells that it lives each half second. */
const SILENCE_MS_MAX = 2_000;
const LINE_LENGTH_MAX = 1_048_576;

function unavailable(problem: string, cause?: unknown): KeysError {
  return new KeysError('KEYS_SERVICE_UNAVAILABLE', problem, cause === undefined ? {} : { cause });
}

async function readAll(body: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    if (!Buffer.isBuffer(chunk)) throw unavailable('the key service answered nonsense');
    size += chunk.length;
    if (size > MESSAGE_SIZE_BYTES_MAX) throw unavailable('the key service answered too much');
    chunks.push(chunk);
  }
  const whole = Buffer.concat(chunks);
  wipe(...chunks);
  return whole;
}

/** The service's own refusal, by code. Only codes of the keys' room come from there. */
function parseProblem(bytes: Buffer): KeysError {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null && 'code' in value && 'message' in value) {
      const { code, message } = value;
      if (typeof code === 'string' && /^KEYS_[A-Z_]{1,60}$/.test(code)) {
        const after = 'retryAfterMs' in value ? Number(value.retryAfterMs) : Number.NaN;
        return fromLinkProblem({
          code: code as KeysErrorCode,
          message: String(message).slice(0, 256),
          ...(Number.isFinite(after) ? { retryAfterMs: after } : {}),
        });
      }
    }
  } catch {
    // Told below.
  }
  return unavailable('the key service refused without a reason');
}

/** Opens the way to a key service; connects at the first call. */
export function openRemoteKeyService(
  identity: Identity,
  address: KeyServiceAddress,
): RemoteKeyService {
  const agent = new Agent({
    connect: createMtlsConnector(identity, { expect: address.spiffeId, timeoutMs: LEASE_MS }),
    connections: 8,
    pipelining: 1,
    keepAliveTimeout: 60_000,
  });
  const origin = `https://${address.host}:${address.port}`;

  async function post(name: string, body: object, timeoutMs: number): Promise<unknown> {
    let status: number;
    let bytes: Buffer;
    try {
      const response = await request(`${origin}/v1/${name}`, {
        dispatcher: agent,
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
      status = response.statusCode;
      bytes = await readAll(response.body);
    } catch (cause) {
      if (cause instanceof KeysError) throw cause;
      throw unavailable('the key service did not answer', cause);
    }
    if (status !== 200) throw parseProblem(bytes);
    return parseMessage(bytes);
  }

  // What comes back was written by our own key service behind a pinned identity; `T` is its answer.
  async function parseAnswer<T>(
    name: string,
    body: object,
    timeoutMs = CALL_TIMEOUT_MS,
  ): Promise<T> {
    return (await post(name, body, timeoutMs)) as T;
  }

  return {
    register: (process) => parseAnswer<Registration>('register', process, LEASE_MS),
    renew: (caller, known) => parseAnswer<Renewal>('renew', { ...caller, ...known }, LEASE_MS),
    watch: (caller, listener) => watch({ agent, origin }, caller, listener),
    async acknowledge(caller, done) {
      await post('acknowledge', { ...caller, ...done }, LEASE_MS);
    },
    openTenant: (caller, tenantId) =>
      parseAnswer<TenantMaterial>('openTenant', { ...caller, tenantId }),
    openShredKeys: (caller, wanted) =>
      parseAnswer<OpenedShredKeys>('openShredKeys', { ...caller, ...wanted }),
    reserve: (caller, wanted) =>
      parseAnswer<readonly ReservedMaterial[]>('reserve', { ...caller, ...wanted }),
    openIndexKey: (caller, { tenantId, field }) =>
      parseAnswer<{ readonly revision: number; readonly key: KeyObject }>('openIndexKey', {
        ...caller,
        ...field,
        tenantId,
      }),
    async provisionTenant(tenantId, terms) {
      await post('provisionTenant', { tenantId, terms }, CALL_TIMEOUT_MS);
    },
    describeKeys: (tenantId) =>
      parseAnswer<readonly KeyDescription[]>('describeKeys', { tenantId }),
    changeState: (change) => parseAnswer<KeyChangeRow>('changeState', change),
    awaitChange: (changeId, options) =>
      parseAnswer<KeyChangeRow>('awaitChange', { changeId, ...options }),
    requestAction: (asked) => parseAnswer<KeyRequest>('requestAction', asked),
    listRequests: (tenantId) => parseAnswer<readonly KeyRequest[]>('listRequests', { tenantId }),
    signRequest: (signed) => parseAnswer<KeyRequest>('signRequest', signed, ERASURE_TIMEOUT_MS),
    cancelRequest: (requestId, tenantId) =>
      parseAnswer<KeyRequest>('cancelRequest', { requestId, tenantId }),
    async shortenStaleness(tenantId, stalenessMs) {
      await post('shortenStaleness', { tenantId, stalenessMs }, CALL_TIMEOUT_MS);
    },
    rotateKey: (rotation) => parseAnswer<RotationRow>('rotateKey', rotation, ERASURE_TIMEOUT_MS),
    findRotation: (rotationId, tenantId) =>
      parseAnswer<RotationRow>('findRotation', { rotationId, tenantId }),
    reportKeys: (tenantId) => parseAnswer<KeyReport>('reportKeys', { tenantId }),
    eraseSubject: (erasure) =>
      parseAnswer<ErasureReceipt>('eraseSubject', erasure, ERASURE_TIMEOUT_MS),
    close: () => agent.destroy(),
  };
}

function parseDrop(line: string): NumberedDrop | undefined {
  if (line === '') return undefined;
  const value: unknown = JSON.parse(line);
  if (typeof value === 'object' && value !== null && 'revision' in value && 'drop' in value) {
    return value as NumberedDrop;
  }
  throw unavailable('the stream of drops has nonsense in it');
}

/** Reads the stream of drops until it breaks or is stopped; ends it when it falls silent. */
function watch(
  to: { readonly agent: Agent; readonly origin: string },
  caller: Parameters<LeaseService['watch']>[0],
  listener: Parameters<LeaseService['watch']>[1],
): () => void {
  const stop = new AbortController();
  const read = async (): Promise<void> => {
    const response = await request(`${to.origin}/v1/watch`, {
      dispatcher: to.agent,
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(caller),
      signal: stop.signal,
      headersTimeout: SILENCE_MS_MAX,
      bodyTimeout: SILENCE_MS_MAX,
    });
    if (response.statusCode !== 200) throw parseProblem(await readAll(response.body));
    let rest = '';
    for await (const chunk of response.body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > LINE_LENGTH_MAX) throw unavailable('a line of the stream is too long');
      for (const line of lines) {
        const drop = parseDrop(line);
        if (drop !== undefined) listener.onDrop(drop);
      }
    }
  };
  read()
    .catch(() => undefined)
    .finally(() => listener.onEnd());
  return () => stop.abort();
}
