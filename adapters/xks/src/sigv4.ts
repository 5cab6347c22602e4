// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 as the XKS proxy API uses it (Appendix A): POST, no query, no session token.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** Service name of the XKS proxy API. */
export const XKS_SERVICE = 'kms-xks-proxy';
/** Largest difference between the request's time and ours (specification, Appendix A, task 4). */
export const CLOCK_SKEW_MS_MAX: number = 5 * 60 * 1000;
const SIGNING_KEYS_COUNT_MAX = 64;

export interface SigningCredential {
  readonly accessKeyId: string;
  readonly secretAccessKey: Buffer;
}

/** What is signed of a request. */
export interface SignedRequest {
  /** Path only; a query is refused before. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}

const sha256 = (bytes: Uint8Array | string): string =>
  createHash('sha256').update(bytes).digest('hex');
const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', key).update(text, 'utf8').digest();

/** `YYYYMMDD'T'HHMMSS'Z'`. */
export function toAmzDate(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

function parseAmzDate(text: string): number {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (match === null) return Number.NaN;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

interface Scope {
  readonly amzDate: string;
  readonly region: string;
  readonly service: string;
}

const toCredentialScope = ({ amzDate, region, service }: Scope): string =>
  `${amzDate.slice(0, 8)}/${region}/${service}/aws4_request`;

const signingKeys = new Map<string, { readonly secret: Buffer; readonly key: Buffer }>();

function toSigningKey(credential: SigningCredential, scope: Scope): Buffer {
  const { accessKeyId, secretAccessKey } = credential;
  const { region, service } = scope;
  const date = scope.amzDate.slice(0, 8);
  const name = `${accessKeyId}/${date}/${region}/${service}`;
  const known = signingKeys.get(name);
  if (known?.secret === secretAccessKey) return known.key;
  const first = Buffer.concat([Buffer.from('AWS4', 'latin1'), secretAccessKey]);
  const key = hmac(hmac(hmac(hmac(first, date), region), service), 'aws4_request');
  first.fill(0);
  if (signingKeys.size >= SIGNING_KEYS_COUNT_MAX) signingKeys.clear();
  signingKeys.set(name, { secret: secretAccessKey, key });
  return key;
}

function toSignature(
  request: SignedRequest,
  credential: SigningCredential,
  scope: Scope & { readonly signedHeaders: readonly string[] },
): Buffer {
  const { amzDate, signedHeaders } = scope;
  const headers = signedHeaders
    .map((name) => `${name}:${(request.headers[name] ?? '').trim().replaceAll(/ +/g, ' ')}\n`)
    .join('');
  const canonical = `POST\n${request.path}\n\n${headers}\n${signedHeaders.join(';')}\n${sha256(request.body)}`;
  const toSign = `${ALGORITHM}\n${amzDate}\n${toCredentialScope(scope)}\n${sha256(canonical)}`;
  return hmac(toSigningKey(credential, scope), toSign);
}

/** The `authorization` header of a request; all of `request.headers` are signed. */
export function signRequest(
  request: SignedRequest,
  credential: SigningCredential,
  options: { readonly region: string; readonly amzDate: string; readonly service?: string },
): string {
  const signedHeaders = Object.keys(request.headers).sort();
  const scope = { service: XKS_SERVICE, ...options };
  const signature = toSignature(request, credential, { ...scope, signedHeaders }).toString('hex');
  return `${ALGORITHM} Credential=${credential.accessKeyId}/${toCredentialScope(scope)}, SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
}

/** Who signed, and which headers the signature covers. */
export interface VerifiedSignature {
  readonly accessKeyId: string;
  readonly region: string;
  readonly signedHeaders: readonly string[];
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9_/-]{1,128})\/(\d{8})\/([a-z0-9-]{1,64})\/kms-xks-proxy\/aws4_request, ?SignedHeaders=([a-z0-9;-]{1,1024}), ?Signature=([0-9a-f]{64})$/;
/** Checked in place of an unknown credential, so that both take the same time. */
const NOBODY: SigningCredential = { accessKeyId: '', secretAccessKey: Buffer.alloc(43, 0x41) };

/**
 * Verifies a request's signature; undefined when it does not hold, and why is not told. All of `request`
 * is untrusted.
 */
export function verifyRequest(
  request: SignedRequest,
  findCredential: (accessKeyId: string) => SigningCredential | undefined,
  nowMs: number,
): VerifiedSignature | undefined {
  const match = AUTHORIZATION.exec(request.headers['authorization'] ?? '');
  if (match === null) return undefined;
  const [, accessKeyId = '', date = '', region = '', names = '', signature = ''] = match;
  const amzDate = request.headers['x-amz-date'] ?? '';
  const skewMs = Math.abs(nowMs - parseAmzDate(amzDate));
  // Not a number is not within the limit.
  const isRecent = skewMs <= CLOCK_SKEW_MS_MAX && amzDate.startsWith(date);
  const signedHeaders = names.split(';');
  // SECURITY: without the host a signature is good for another server; without the date, for ever.
  const isCovered =
    signedHeaders.includes('host') &&
    signedHeaders.includes('x-amz-date') &&
    signedHeaders.every((name) => request.headers[name] !== undefined);
  const credential = findCredential(accessKeyId);
  const scope = { amzDate, region, service: XKS_SERVICE, signedHeaders };
  const expected = toSignature(request, credential ?? NOBODY, scope);
  const isSigned = timingSafeEqual(expected, Buffer.from(signature, 'hex'));
  if (credential === undefined || !isRecent || !isCovered || !isSigned) return undefined;
  return { accessKeyId, region, signedHeaders };
}
