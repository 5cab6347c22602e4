// SPDX-License-Identifier: Apache-2.0
// The key service's listener: mTLS, and nobody but the processes of its own cell. One route a call of
// `KeyServiceApi`, and one stream that tells drops as they come.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'node:https';
import {
  CodedError,
  type CollectionId,
  parseCollectionId,
  parseEntryId,
  parseKeyId,
  parseProcessId,
  parseSubjectId,
  parseTenantId,
} from '@bailiwick/kernel';
import { KeysError, type SignedStatement, wipe } from '@bailiwick/keys';
import { createMtlsServer, type Identity } from '@bailiwick/pki';
import { toLinkProblem } from '../keys/key-link.ts';
import type { Caller, KeyServiceApi, KeyTerms } from './api.ts';
import { parseKeyAction } from './key-requests.ts';
import { encodeMessage, MESSAGE_SIZE_BYTES_MAX } from './wire.ts';

/** A line in the stream of drops when there is nothing to tell: shows that the stream lives. */
const HEARTBEAT_MS = 500;
const REQUEST_TIMEOUT_MS = 30_000;

type Body = Readonly<Record<string, unknown>>;
type Call = (service: KeyServiceApi, body: Body) => Promise<unknown>;

const isBody = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function refuse(problem: string): never {
  throw new KeysError('KEYS_SERVICE_REFUSED', problem);
}

function text(body: Body, name: string): string {
  const value = body[name];
  return typeof value === 'string' && value.length <= 256
    ? value
    : refuse(`\`${name}\` is no text`);
}

function count(body: Body, name: string): number {
  const value = body[name];
  return Number.isSafeInteger(value) && Number(value) >= 0
    ? Number(value)
    : refuse(`\`${name}\` is no count`);
}

function parseCaller(body: Body): Caller {
  return {
    processId: parseProcessId(text(body, 'processId')),
    generation: count(body, 'generation'),
  };
}

function parseStatement(value: unknown): SignedStatement {
  if (!isBody(value)) return refuse('`statement` is no object');
  const { body, publicKey, signature } = value;
  if (typeof body !== 'string' || body.length > 4096) return refuse('`body` is no text');
  if (typeof publicKey !== 'string' || typeof signature !== 'string') {
    return refuse('`statement` is not signed');
  }
  return { body, publicKey, signature };
}

function parseIndexField(body: Body): {
  readonly collectionId: CollectionId;
  readonly field: string;
  readonly version: number;
} {
  const field = text(body, 'field');
  if (!/^[a-zA-Z][a-zA-Z0-9_-]{0,62}$/.test(field)) refuse('`field` is no name of a field');
  return {
    collectionId: parseCollectionId(text(body, 'collectionId')),
    field,
    version: count(body, 'version'),
  };
}

function parseKeyState(value: string): 'enabled' | 'disabled' {
  return value === 'enabled' || value === 'disabled' ? value : refuse('`to` is no state');
}

function parseKeyIds(value: unknown): readonly ReturnType<typeof parseKeyId>[] {
  if (!Array.isArray(value) || value.length > 65_536) return refuse('`shredKeyIds` is no list');
  return value.map((item) => parseKeyId(String(item)));
}

const entryOf = (body: Body): { readonly entryId?: ReturnType<typeof parseEntryId> } =>
  body['entryId'] === undefined ? {} : { entryId: parseEntryId(text(body, 'entryId')) };

function parseTerms(value: unknown): KeyTerms {
  if (value === undefined) return {};
  if (!isBody(value)) return refuse('`terms` is no object');
  const { custody } = value;
  const isCustody = custody === 'cell' || custody === 'customer' || custody === 'hold-your-own';
  if (custody !== undefined && !isCustody) return refuse('`custody` is none');
  return {
    ...(isCustody ? { custody } : {}),
    ...(value['stalenessMsMax'] === undefined
      ? {}
      : { stalenessMsMax: count(value, 'stalenessMsMax') }),
  };
}

const tenantOf = (body: Body): ReturnType<typeof parseTenantId> =>
  parseTenantId(text(body, 'tenantId'));

const CALLS: Readonly<Record<string, Call>> = {
  register: (service, body) =>
    service.register({
      processId: parseProcessId(text(body, 'processId')),
      publicKey: text(body, 'publicKey'),
    }),
  renew: (service, body) => service.renew(parseCaller(body), { revision: count(body, 'revision') }),
  acknowledge: (service, body) =>
    service.acknowledge(parseCaller(body), {
      revision: count(body, 'revision'),
      statement: parseStatement(body['statement']),
    }),
  openTenant: (service, body) => service.openTenant(parseCaller(body), tenantOf(body)),
  openShredKeys: (service, body) =>
    service.openShredKeys(parseCaller(body), {
      tenantId: tenantOf(body),
      shredKeyIds: parseKeyIds(body['shredKeyIds']),
    }),
  reserve: (service, body) =>
    service.reserve(parseCaller(body), { tenantId: tenantOf(body), count: count(body, 'count') }),
  openIndexKey: (service, body) =>
    service.openIndexKey(parseCaller(body), {
      tenantId: tenantOf(body),
      field: parseIndexField(body),
    }),
  provisionTenant: (service, body) =>
    service.provisionTenant(tenantOf(body), parseTerms(body['terms'])),
  describeKeys: (service, body) => service.describeKeys(tenantOf(body)),
  changeState: (service, body) =>
    service.changeState({
      changeId: parseEntryId(text(body, 'changeId')),
      tenantId: tenantOf(body),
      keyId: parseKeyId(text(body, 'keyId')),
      to: parseKeyState(text(body, 'to')),
      ...entryOf(body),
    }),
  requestAction: (service, body) =>
    service.requestAction({
      requestId: parseEntryId(text(body, 'requestId')),
      tenantId: tenantOf(body),
      action: parseKeyAction(body['action']),
      account: text(body, 'account'),
      recordsCount: count(body, 'recordsCount'),
      terms: parseTerms(body['terms']),
    }),
  listRequests: (service, body) => service.listRequests(tenantOf(body)),
  signRequest: (service, body) =>
    service.signRequest({
      requestId: parseEntryId(text(body, 'requestId')),
      tenantId: tenantOf(body),
      account: text(body, 'account'),
      key: text(body, 'key'),
      signature: text(body, 'signature'),
    }),
  cancelRequest: (service, body) =>
    service.cancelRequest(parseEntryId(text(body, 'requestId')), tenantOf(body)),
  shortenStaleness: (service, body) =>
    service.shortenStaleness(tenantOf(body), count(body, 'stalenessMs')),
  rotateKey: (service, body) =>
    service.rotateKey({
      rotationId: parseEntryId(text(body, 'rotationId')),
      tenantId: tenantOf(body),
      kind: text(body, 'kind') === 'customer-key' ? 'customer-key' : 'tenant-key',
    }),
  findRotation: (service, body) =>
    service.findRotation(parseEntryId(text(body, 'rotationId')), tenantOf(body)),
  reportKeys: (service, body) => service.reportKeys(tenantOf(body)),
  awaitChange: (service, body) =>
    service.awaitChange(parseEntryId(text(body, 'changeId')), {
      timeoutMs: count(body, 'timeoutMs'),
    }),
  eraseSubject: (service, body) =>
    service.eraseSubject({
      erasureId: parseEntryId(text(body, 'erasureId')),
      tenantId: tenantOf(body),
      subjectId: parseSubjectId(text(body, 'subjectId')),
      ...entryOf(body),
    }),
};

async function readBody(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > MESSAGE_SIZE_BYTES_MAX) refuse('request is too large');
    chunks.push(bytes);
  }
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    return refuse('request is not JSON');
  }
  return isBody(body) ? body : refuse('request is no object');
}

function sendProblem(response: ServerResponse, error: unknown): void {
  const isOurs = error instanceof CodedError;
  const code = isOurs ? error.code : 'KEYS_SERVICE_UNAVAILABLE';
  const message = isOurs ? error.message : 'the key service failed inside';
  if (response.headersSent) response.destroy();
  else
    response
      .writeHead(isOurs ? 409 : 500, { 'content-type': 'application/json' })
      .end(JSON.stringify(error instanceof KeysError ? toLinkProblem(error) : { code, message }));
}

/** Writes drops as lines of JSON until either side ends. */
function streamDrops(service: KeyServiceApi, body: Body, response: ServerResponse): void {
  const stop = service.watch(parseCaller(body), {
    onDrop: (drop) => response.write(`${JSON.stringify(drop)}\n`),
    onEnd: () => response.end(),
  });
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const heartbeat = setInterval(() => response.write('\n'), HEARTBEAT_MS);
  response.on('close', () => {
    clearInterval(heartbeat);
    stop();
  });
}

async function answer(
  service: KeyServiceApi,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const name = request.url?.startsWith('/v1/') === true ? request.url.slice('/v1/'.length) : '';
  if (request.method !== 'POST') refuse('expected a POST');
  const body = await readBody(request);
  if (name === 'watch') {
    streamDrops(service, body, response);
    return;
  }
  const call = Object.hasOwn(CALLS, name) ? CALLS[name] : undefined;
  if (call === undefined) refuse('no such call');
  const message = encodeMessage(await call(service, body));
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'content-length': message.length,
  });
  // The bytes are copied by then: into the TLS library's own buffers, which are not ours to wipe.
  response.end(message, () => wipe(message));
}

export interface KeyServerOptions {
  readonly identity: Identity;
  /** SPIFFE id of the cell's processes; nobody else is let in. */
  readonly cellSpiffeId: string;
  readonly onProblem?: (message: string, error: unknown) => void;
}

/** Makes the listener; the caller listens and closes. */
export function createKeyServer(service: KeyServiceApi, options: KeyServerOptions): Server {
  const { identity, cellSpiffeId, onProblem } = options;
  const server = createMtlsServer(
    identity,
    { allow: (peer) => peer === cellSpiffeId },
    (request, response) => {
      answer(service, request, response).catch((error: unknown) => {
        if (!(error instanceof CodedError)) onProblem?.('a call failed inside', error);
        sendProblem(response, error);
      });
    },
  );
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = 65_000;
  return server;
}
