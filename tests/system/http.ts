// SPDX-License-Identifier: Apache-2.0
// HTTP as a caller sends it, without the client library: another implementation could stand at either
// end. Nothing is retried, nothing is filled in.
import { createHash, createPrivateKey, createPublicKey, randomUUID, sign } from 'node:crypto';
import { request } from 'node:https';
import type { PeerCertificate } from 'node:tls';
import type { ResidencyName } from './demo.ts';
import type { CellAddress, SharedSystem, SystemAccount } from './shared.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body where it is JSON, otherwise an empty object: tests look into it as they please. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked into, never used as types
  readonly body: any;
}

export interface Send {
  readonly port: number;
  /** Name that TLS is opened for; undefined sends none. */
  readonly serverName: string | undefined;
  readonly ca: string;
  readonly method: Method;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly cert?: string;
  readonly key?: string;
  readonly checkServerIdentity?: (host: string, cert: PeerCertificate) => Error | undefined;
}

/** Sends one request over a connection of its own. */
export function send(options: Send): Promise<Answer> {
  const { serverName, body, method, path, port, ca, cert, key, checkServerIdentity } = options;
  const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
  const payload = body === undefined ? undefined : isRaw ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        ca,
        agent: false,
        servername: serverName ?? '',
        headers: {
          host: `${serverName ?? '127.0.0.1'}:${port}`,
          ...(payload === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
          ...(payload === undefined
            ? {}
            : { 'content-length': String(Buffer.byteLength(payload)) }),
          ...options.headers,
        },
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
        ...(checkServerIdentity === undefined ? {} : { checkServerIdentity }),
      },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
        incoming.on('error', reject);
        incoming.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            text,
            body: parse(text),
          });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}

/** Sends to a process's internal listener as the operator; the peer must be who is expected. */
export function sendAsOperator(
  system: SharedSystem,
  to: { readonly port: number; readonly spiffeId: string },
  what: Pick<Send, 'method' | 'path' | 'headers' | 'body'>,
): Promise<Answer> {
  return send({
    ...what,
    ...system.operator,
    port: to.port,
    serverName: undefined,
    headers: { 'idempotency-key': randomUUID(), ...what.headers },
    checkServerIdentity: (_host, { subjectaltname = '' }) =>
      subjectaltname.includes(`URI:${to.spiffeId}`) ? undefined : new Error('another peer'),
  });
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT signed with Ed25519. */
export function signJwt(
  pem: string,
  { header, claims }: { readonly header: object; readonly claims: object },
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), createPrivateKey(pem)).toString('base64url')}`;
}

/** What a JWT says, unverified. */
// biome-ignore lint/suspicious/noExplicitAny: claims are looked into, never used as types
export function readJwt(token: string): { readonly header: any; readonly claims: any } {
  const [header = '', claims = ''] = token.split('.');
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { header: decode(header), claims: decode(claims) };
}

/** `private_key_jwt` (RFC 7523) for an account at a cell. */
export function signAssertion(account: SystemAccount, cell: CellAddress): string {
  const { residency, name } = cell;
  const id = account.ids[residency] ?? '';
  const raw = createPublicKey(account.key).export({ type: 'spki', format: 'der' }).subarray(-32);
  const kid = createHash('sha256').update('bailiwick/key-id/v1\0').update(raw).digest('hex');
  const now = Math.floor(Date.now() / 1000);
  return signJwt(account.key, {
    header: { alg: 'EdDSA', typ: 'client-authentication+jwt', kid: kid.slice(0, 32) },
    claims: { iss: id, sub: id, aud: name, jti: randomUUID(), iat: now, exp: now + 30 },
  });
}

/** Asks a cell's token endpoint. */
export function askToken(
  system: SharedSystem,
  residency: ResidencyName,
  form: Readonly<Record<string, string>>,
): Promise<Answer> {
  const cell = system.cell(residency);
  return send({
    ca: system.ca,
    port: cell.port,
    serverName: cell.name,
    method: 'POST',
    path: '/v1/tokens',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(form).toString(),
  });
}

/** An access token of an account at a cell. */
export async function signIn(
  system: SharedSystem,
  residency: ResidencyName,
  account: SystemAccount,
): Promise<string> {
  const answer = await askToken(system, residency, {
    grant_type: 'client_credentials',
    client_id: account.ids[residency] ?? '',
    tenant: account.tenant,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signAssertion(account, system.cell(residency)),
  });
  if (answer.status !== 200) throw new Error(`no token: ${answer.text}`);
  return answer.body.access_token;
}

/** Exchanges an access token for a residency claim; the answer may be a refusal. */
export function askClaim(
  system: SharedSystem,
  residency: ResidencyName,
  { token, of }: { readonly token: string; readonly of: string },
): Promise<Answer> {
  return askToken(system, residency, {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    requested_token_type: 'urn:bailiwick:token-type:residency',
    resource: of,
  });
}

/** An account signed in to a cell. */
export interface Caller {
  readonly token: string;
  readonly claim: string;
  /** Headers of a tenant's request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sends with the account's credentials and, on a POST, an `Idempotency-Key` of its own. */
  call(
    method: Method,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer>;
}

/** Signs an account in to a cell. */
export async function openCaller(
  system: SharedSystem,
  residency: ResidencyName,
  account: SystemAccount,
): Promise<Caller> {
  const token = await signIn(system, residency, account);
  const claimed = await askClaim(system, residency, { token, of: residency });
  if (claimed.status !== 200) throw new Error(`no claim: ${claimed.text}`);
  const claim: string = claimed.body.access_token;
  const { name, port } = system.cell(residency);
  const headers = { authorization: `Bearer ${token}`, 'bailiwick-residency': claim };
  return {
    token,
    claim,
    headers,
    call: (method, path, body, more = {}) =>
      send({
        ca: system.ca,
        port,
        serverName: name,
        method,
        path,
        body,
        headers: {
          ...headers,
          ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
          ...more,
        },
      }),
  };
}
