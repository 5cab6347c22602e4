// SPDX-License-Identifier: Apache-2.0
// The way in: a client knows an account and where to ask; `in(residency)` gives the cell of one place.
import type { KeyObject } from 'node:crypto';
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import type { Cell } from './cell.ts';
import { createCell } from './cell.ts';
import { discover, type Home, parseDirectoryKey } from './directory.ts';
import { SdkError } from './errors.ts';
import { type AccountCredential, createTokenSource, type TokenSource } from './tokens.ts';
import { type Endpoint, openTransport, type Transport } from './transport.ts';

/**
 * Where homes are found and whose word counts. The router answers nobody without a residency claim, and a
 * cell issues it: so one cell, the first, is known beforehand.
 */
export interface DirectoryOptions {
  /** The cell where the account signs in first. */
  readonly first: Endpoint & { readonly residency: string };
  /** The router. */
  readonly router: Endpoint;
  /** Raw Ed25519 public keys, base64, of which one must have signed each entry. */
  readonly keys: readonly string[];
}

/** A cell whose address the caller knows by itself. */
export interface PinnedCell extends Endpoint {
  readonly cell?: string;
}

export interface ClientOptions {
  /** The account used in every residency, or one per residency. */
  readonly account: AccountCredential | Readonly<Record<string, AccountCredential>>;
  readonly directory?: DirectoryOptions;
  /** Homes by residency that need no discovery. */
  readonly cells?: Readonly<Record<string, PinnedCell>>;
  /** PEM of the certificate authorities to trust instead of the system's. */
  readonly ca?: string;
  /** Deadline of each call that states none, signing in and discovery included. */
  readonly deadlineMs?: number;
}

export interface CellOptions {
  /** The tenant's id. */
  readonly tenant: string;
  /** Purpose of all calls that state none; the account's default when absent. */
  readonly purpose?: string;
}

/** A client of one account. Close it when done. */
export interface Client {
  /**
   * The tenant's cell of a residency, found and signed in to.
   *
   * @throws {SdkError} `SDK_RESIDENCY_UNKNOWN`, `SDK_DIRECTORY_UNVERIFIED`, `SDK_SIGN_IN_REFUSED`,
   * `SDK_CELL_UNREACHABLE`
   */
  in(residency: string, options: CellOptions): Promise<Cell>;
  close(): Promise<void>;
}

interface Found {
  readonly cellId: string;
  readonly endpoint: Endpoint;
  readonly endsAtMs: number;
}

/** What all cells of a client share. */
interface Shared {
  readonly options: ClientOptions;
  readonly keys: readonly KeyObject[];
  toTransport(endpoint: Endpoint): Transport;
  /** Tokens at the first cell, by tenant: they buy the claims that the router asks for. */
  toFirstTokens(tenant: string, residency: string): TokenSource;
}

/**
 * Creates a client. Nothing is sent before the first `in`.
 *
 * ```ts
 * const bailiwick = createClient({ account: { account: id, key: pem }, directory, ca });
 * const cell = await bailiwick.in('eu-de', { tenant });
 * const answer = await cell.collection('customers').search({ where: { country: { eq: 'de' } } });
 * ```
 */
export function createClient(options: ClientOptions): Client {
  const transports = new Map<string, Transport>();
  const shared: Shared = {
    options,
    keys: (options.directory?.keys ?? []).map(parseDirectoryKey),
    toTransport(endpoint) {
      const id = `${endpoint.name} ${endpoint.host ?? ''} ${endpoint.port}`;
      const open =
        transports.get(id) ?? openTransport({ endpoint, ...toTransportOptions(options) });
      transports.set(id, open);
      return open;
    },
    toFirstTokens(tenant, residency) {
      const first = options.directory?.first;
      if (first === undefined) {
        throw new SdkError('SDK_RESIDENCY_UNKNOWN', `no home is known for \`${residency}\``);
      }
      return createTokenSource({
        transport: shared.toTransport(first),
        credential: toCredential(options, first.residency),
        tenant,
        residency,
        audience: first.name,
      });
    },
  };
  if (options.directory !== undefined && shared.keys.length === 0) {
    throw new SdkError('SDK_OPTIONS_INVALID', 'a directory needs at least one pinned key');
  }
  return {
    in: (residency, cellOptions) => openCell(shared, residency, cellOptions),
    async close() {
      await Promise.all([...transports.values()].map((transport) => transport.close()));
    },
  };
}

/** Where a tenant's residency is: known beforehand, or asked of the router with a claim. */
async function find(shared: Shared, residency: string, tenant: string): Promise<Found> {
  const { directory, cells } = shared.options;
  const pinned = cells?.[residency];
  if (pinned !== undefined) {
    const cellId = pinned.cell ?? `${residency}/main`;
    return { cellId, endpoint: pinned, endsAtMs: Number.POSITIVE_INFINITY };
  }
  const claim = await shared.toFirstTokens(tenant, residency).residencyClaim();
  const { router } = directory ?? {};
  if (router === undefined) {
    throw new SdkError('SDK_RESIDENCY_UNKNOWN', `no home is known for \`${residency}\``);
  }
  const asked = { tenant, residency, keys: shared.keys, claim };
  return toFound(await discover(shared.toTransport(router), asked));
}

async function openCell(
  shared: Shared,
  residency: string,
  { tenant, purpose }: CellOptions,
): Promise<Cell> {
  const credential = toCredential(shared.options, residency);
  const signIn = (found: Found): { readonly home: Found; readonly tokens: TokenSource } => ({
    home: found,
    tokens: createTokenSource({
      transport: shared.toTransport(found.endpoint),
      credential,
      tenant,
      residency,
      audience: found.endpoint.name,
    }),
  });
  let now = signIn(await find(shared, residency, tenant));
  /** Looks the home up again; true when it is another one. */
  const refresh = async (): Promise<boolean> => {
    const { endpoint } = now.home;
    const found = await find(shared, residency, tenant);
    const { name, host, port } = found.endpoint;
    const isMoved = name !== endpoint.name || host !== endpoint.host || port !== endpoint.port;
    now = isMoved ? signIn(found) : { ...now, home: found };
    return isMoved;
  };
  const call: Caller = async (request, callOptions) => {
    if (performance.now() >= now.home.endsAtMs) await refresh();
    const send = (): Promise<Answer<never>> => {
      const transport = shared.toTransport(now.home.endpoint);
      return sendAs({ transport, tokens: now.tokens, purpose }, request, callOptions);
    };
    const answer = await send();
    if (answer.ok) return answer;
    // 401: the token has ended earlier than it said. 421: the home may have moved. Once each, no loop.
    if (answer.problem.status === 401) now.tokens.discard();
    else if (answer.problem.status !== 421 || !(await refresh())) return answer;
    return send();
  };
  await now.tokens.headers();
  return createCell(call, { residency, cellId: now.home.cellId, name: now.home.endpoint.name });
}

function toTransportOptions({ ca, deadlineMs }: ClientOptions): {
  readonly ca?: string;
  readonly deadlineMs?: number;
} {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  };
}

function toFound(home: Home): Found {
  const [endpoint] = home.endpoints;
  if (endpoint === undefined) {
    throw new SdkError('SDK_DIRECTORY_UNVERIFIED', 'the directory entry has no address');
  }
  return {
    cellId: home.cell,
    endpoint,
    endsAtMs: performance.now() + home.validForMs,
  };
}

function toCredential({ account }: ClientOptions, residency: string): AccountCredential {
  if (isCredential(account)) return account;
  const found = account[residency];
  if (found !== undefined) return found;
  throw new SdkError('SDK_OPTIONS_INVALID', `no account is given for \`${residency}\``);
}

function isCredential(
  value: AccountCredential | Readonly<Record<string, AccountCredential>>,
): value is AccountCredential {
  return 'account' in value && typeof value.account === 'string';
}

interface Sender {
  readonly transport: Transport;
  readonly tokens: TokenSource;
  readonly purpose: string | undefined;
}

async function sendAs<T>(
  { transport, tokens, purpose }: Sender,
  request: Parameters<Caller>[0],
  options: CallOptions = {},
): Promise<Answer<T>> {
  const stated = options.purpose ?? purpose;
  return transport.call<T>({
    ...request,
    headers: {
      ...(await tokens.headers()),
      ...(stated === undefined ? {} : { 'bailiwick-purpose': stated }),
      ...request.headers,
    },
    ...(options.deadlineMs === undefined ? {} : { deadlineMs: options.deadlineMs }),
    ...(options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}
