// SPDX-License-Identifier: Apache-2.0
// The way in: a client knows an account and where to ask; `in(residency)` gives the cell of one place.
import type { Answer } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import type { Cell } from './cell.ts';
import { createCell } from './cell.ts';
import { discover, type Home, parseDirectoryKey } from './directory.ts';
import { SdkError } from './errors.ts';
import { type AccountCredential, createTokenSource, type TokenSource } from './tokens.ts';
import { type Endpoint, openTransport, type Transport } from './transport.ts';

/** Where homes are found and whose word counts. */
export interface DirectoryOptions {
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
  const keys = (options.directory?.keys ?? []).map(parseDirectoryKey);
  const router =
    options.directory === undefined
      ? undefined
      : openTransport({ endpoint: options.directory.router, ...toCa(options) });
  if (router !== undefined && keys.length === 0) {
    throw new SdkError('SDK_OPTIONS_INVALID', 'a directory needs at least one pinned key');
  }
  const toTransport = (endpoint: Endpoint): Transport => {
    const id = `${endpoint.name} ${endpoint.host ?? ''} ${endpoint.port}`;
    const open = transports.get(id) ?? openTransport({ endpoint, ...toCa(options) });
    transports.set(id, open);
    return open;
  };
  const find = async (residency: string, tenant: string): Promise<Found> => {
    const pinned = options.cells?.[residency];
    if (pinned !== undefined) {
      const cellId = pinned.cell ?? `${residency}/main`;
      return { cellId, endpoint: pinned, endsAtMs: Number.POSITIVE_INFINITY };
    }
    if (router === undefined) {
      throw new SdkError('SDK_RESIDENCY_UNKNOWN', `no home is known for \`${residency}\``);
    }
    return toFound(await discover(router, { tenant, residency, keys, claim: undefined }));
  };
  return {
    async in(residency, { tenant, purpose }) {
      let home = await find(residency, tenant);
      const credential = toCredential(options, residency);
      const toTokens = (): TokenSource =>
        createTokenSource({
          transport: toTransport(home.endpoint),
          credential,
          tenant,
          residency,
          audience: home.endpoint.name,
        });
      let tokens = toTokens();
      const refresh = async (): Promise<void> => {
        home = await find(residency, tenant);
        tokens = toTokens();
      };
      const call: Caller = async (request, callOptions) => {
        if (performance.now() >= home.endsAtMs) await refresh();
        const send = (): Promise<Answer<never>> =>
          sendAs({ transport: toTransport(home.endpoint), tokens, purpose }, request, callOptions);
        const answer = await send();
        if (answer.ok || !isWorthAnother(answer.problem.status)) return answer;
        // 401: the token has ended earlier than it said. 421: the home has moved. Once each, no loop.
        if (answer.problem.status === 401) tokens.discard();
        else await refresh();
        return send();
      };
      await tokens.headers();
      return createCell(call, { residency, cellId: home.cellId, name: home.endpoint.name });
    },
    async close() {
      await Promise.all(
        [...transports.values(), ...(router ? [router] : [])].map((t) => t.close()),
      );
    },
  };
}

function isWorthAnother(status: number): boolean {
  return status === 401 || status === 421;
}

function toCa({ ca }: ClientOptions): { readonly ca?: string } {
  return ca === undefined ? {} : { ca };
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
