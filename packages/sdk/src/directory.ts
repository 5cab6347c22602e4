// SPDX-License-Identifier: Apache-2.0
// Discovery: where a tenant's home of one residency is. The router is not trusted with the answer: an
// entry counts only when the directory's key has signed it.
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import {
  DIRECTORY_ENTRY_PAYLOAD_TYPE,
  type DirectoryEntry,
  parseDirectoryEntry,
} from '@bailiwick/contracts';
import { SdkError } from './errors.ts';
import { DIRECTORY_VALID_FOR_MS_MAX } from './limits.ts';
import type { Endpoint, Transport } from './transport.ts';

/** A signed answer of the directory, verified. */
export interface Home {
  /** Cell id, `eu-de/main`. */
  readonly cell: string;
  readonly residency: string;
  readonly tenant: string;
  /** Addresses to connect to, all under the server name that the cell's certificate shows. */
  readonly endpoints: readonly Endpoint[];
  /** How long it may be kept, from when it was received. */
  readonly validForMs: number;
}

/** A DSSE envelope as it travels. */
interface Envelope {
  readonly payloadType: string;
  readonly payload: string;
  readonly signatures: readonly { readonly keyid?: string; readonly sig: string }[];
}

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
export function verifyHome(
  body: unknown,
  asked: {
    readonly keys: readonly KeyObject[];
    readonly tenant: string;
    readonly residency: string;
  },
): Home {
  const envelope = parseEnvelope(body);
  if (envelope.payloadType !== DIRECTORY_ENTRY_PAYLOAD_TYPE) refuse('not a directory entry');
  const payload = Buffer.from(envelope.payload, 'base64');
  const signed = toPae(envelope.payloadType, payload);
  // SECURITY: without this check the router, or who sits in its place, could name any cell as home.
  const isSigned = envelope.signatures.some(({ sig }) =>
    asked.keys.some((key) => verify(null, signed, key, Buffer.from(sig, 'base64'))),
  );
  if (!isSigned) refuse('the directory entry has no signature of a pinned key');
  const entry = parseEntry(payload);
  // SECURITY: a signed entry for somebody else would lead this tenant's data to a wrong home.
  if (entry.residency !== asked.residency || entry.tenantId !== asked.tenant) {
    refuse('the directory entry is not the one asked for');
  }
  return {
    cell: entry.cell,
    residency: entry.residency,
    tenant: entry.tenantId,
    endpoints: entry.addresses.map(({ host, port }) => ({ name: entry.name, host, port })),
    validForMs: Math.min(entry.validForMs, DIRECTORY_VALID_FOR_MS_MAX),
  };
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
  try {
    return parseDirectoryEntry(payload);
  } catch (error) {
    throw new SdkError('SDK_DIRECTORY_UNVERIFIED', 'the directory entry is malformed', {
      cause: error,
    });
  }
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
): Promise<Home> {
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
  return verifyHome(answer.value, { keys: options.keys, tenant, residency });
}
