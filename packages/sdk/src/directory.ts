// SPDX-License-Identifier: Apache-2.0
// Discovery: where a tenant's home of one residency is. The router is not trusted with the answer: an
// entry counts only when the directory's key has signed it.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { SdkError } from './errors.ts';
import { DIRECTORY_VALID_FOR_S_MAX } from './limits.ts';
import type { Endpoint, Transport } from './transport.ts';

/** A signed answer of the directory, verified. */
export interface DirectoryEntry {
  /** Cell id, `eu-de/main`. */
  readonly cell: string;
  readonly residency: string;
  /** Server name that the cell's certificate shows. */
  readonly name: string;
  readonly endpoints: readonly Endpoint[];
  /** How long it may be kept. */
  readonly validForS: number;
}

/** A DSSE envelope as it travels. */
interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid?: string; readonly sig: string }[];
}

export const DIRECTORY_PAYLOAD_TYPE = 'application/vnd.bailiwick.directory-entry+json';

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

/** Reads a raw Ed25519 public key in base64. @throws {SdkError} `SDK_OPTIONS_INVALID` */
export function parseDirectoryKey(base64: string): KeyObject {
  const raw = Buffer.from(base64, 'base64');
  if (raw.length !== 32) {
    throw new SdkError('SDK_OPTIONS_INVALID', 'expected a raw ed25519 public key in base64');
  }
  return createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' });
}

function refuse(problem: string): never {
  throw new SdkError('SDK_DIRECTORY_UNVERIFIED', problem);
}

/**
 * Verifies a directory entry and that it is the one asked for. `body` is untrusted.
 *
 * @throws {SdkError} `SDK_DIRECTORY_UNVERIFIED`
 * @see DSSE v1.0 protocol: PAE(type, body) is what is signed.
 */
export function verifyDirectoryEntry(
  body: unknown,
  options: { readonly keys: readonly KeyObject[]; readonly residency: string },
): DirectoryEntry {
  const envelope = parseEnvelope(body);
  if (envelope.payloadType !== DIRECTORY_PAYLOAD_TYPE) refuse('not a directory entry');
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = toPae(envelope.payloadType, payload);
  // SECURITY: without this check the router, or who sits in its place, could name any cell as home.
  const isSigned = envelope.signatures.some(({ sig }) =>
    options.keys.some((key) => verify(null, signed, key, Buffer.from(sig, 'base64'))),
  );
  if (!isSigned) refuse('the directory entry has no signature of a pinned key');
  const entry = parseEntry(payload);
  if (entry.residency !== options.residency) refuse('the directory entry is for another residency');
  return entry;
}

function toPae(type: string, body: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `;
  return Buffer.concat([Buffer.from(head), body]);
}

function parseEnvelope(body: unknown): Envelope {
  if (typeof body !== 'object' || body === null) refuse('expected a dsse envelope');
  const { payloadType, payload, signatures } = body as Partial<Envelope>;
  if (typeof payloadType !== 'string' || typeof payload !== 'string') {
    return refuse('expected a dsse envelope');
  }
  if (!Array.isArray(signatures) || signatures.length > 8) refuse('expected signatures');
  if (!signatures.every((one) => typeof one?.sig === 'string')) refuse('expected signatures');
  return { payloadType, payload, signatures };
}

function parseEntry(payload: Buffer): DirectoryEntry {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(payload.toString('utf8')) as Record<string, unknown>;
  } catch {
    return refuse('the directory entry is not json');
  }
  const { cell, residency, name, addresses, validForS } = value;
  if (typeof cell !== 'string' || typeof residency !== 'string' || typeof name !== 'string') {
    return refuse('the directory entry has no cell, residency and name');
  }
  if (!Array.isArray(addresses) || addresses.length === 0) {
    return refuse('the directory entry has no address');
  }
  if (typeof validForS !== 'number' || !(validForS > 0)) refuse('the directory entry has ended');
  return {
    cell,
    residency,
    name,
    endpoints: addresses.map((address) => parseAddress(name, address)),
    validForS: Math.min(validForS, DIRECTORY_VALID_FOR_S_MAX),
  };
}

function parseAddress(name: string, address: unknown): Endpoint {
  const match = typeof address === 'string' ? /^(.+):(\d{1,5})$/.exec(address) : null;
  if (match === null) return refuse('the directory entry has an address without a port');
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '');
  return { name, host, port: Number(match[2]) };
}

/** Asks the router for the home of a tenant's residency. Only opaque ids go there (invariant 6). */
export async function discover(
  router: Transport,
  options: {
    readonly tenant: string;
    readonly residency: string;
    readonly keys: readonly KeyObject[];
    readonly claim: string | undefined;
  },
): Promise<DirectoryEntry> {
  const { tenant, residency, claim } = options;
  const answer = await router.call<unknown>({
    method: 'GET',
    path: `/v1/tenants/${encodeURIComponent(tenant)}/residencies/${encodeURIComponent(residency)}`,
    ...(claim === undefined ? {} : { headers: { 'bailiwick-residency': claim } }),
  });
  if (!answer.ok) {
    throw new SdkError(
      'SDK_RESIDENCY_UNKNOWN',
      `the directory knows no home in \`${residency}\` for this tenant: ${answer.problem.title}`,
      {
        details: { code: answer.problem.code, status: answer.problem.status },
        cause: answer.problem,
      },
    );
  }
  return verifyDirectoryEntry(answer.value, { keys: options.keys, residency });
}
