// SPDX-License-Identifier: Apache-2.0
// The operator's way to the control plane and to cells' internal listeners: mTLS with SPIFFE identities.
import type {
  Account,
  CharterAnswer,
  SignInRequest,
  TenantAnswer,
  TenantRequest,
} from '@bailiwick/contracts';
import {
  createMtlsConnector,
  type Identity,
  type IdentityFiles,
  openIdentity,
  type SpiffeId,
} from '@bailiwick/pki';
import { openTransport, type Transport, unwrap } from '@bailiwick/sdk';
import type { ClientConfig, ConfiguredCell } from './config.ts';
import { CliError } from './errors.ts';

/** What an operator may do. */
export interface Operator {
  readonly spiffeId: SpiffeId;
  readonly control: Transport;
  /** A cell's internal listener. */
  cell(cell: Pick<ConfiguredCell, 'internal'>): Transport;
  close(): Promise<void>;
}

export interface OperatorOptions {
  readonly identity: IdentityFiles;
  readonly control: { readonly host: string; readonly port: number; readonly spiffeId: string };
}

/** Opens the operator's connections; nothing is sent yet. */
export function openOperator(options: OperatorOptions): Operator {
  const identity: Identity = openIdentity(options.identity);
  const transports = new Map<string, Transport>();
  const open = (peer: OperatorOptions['control']): Transport => {
    const known = transports.get(peer.spiffeId);
    if (known !== undefined) return known;
    const transport = openTransport({
      endpoint: { name: peer.host, host: peer.host, port: peer.port },
      connector: createMtlsConnector(identity, { expect: peer.spiffeId }),
      connectionsCountMax: 2,
    });
    transports.set(peer.spiffeId, transport);
    return transport;
  };
  return {
    spiffeId: identity.spiffeId,
    control: open(options.control),
    cell: ({ internal }) => open(internal),
    async close() {
      await Promise.all([...transports.values()].map((transport) => transport.close()));
      identity.close();
    },
  };
}

/** The operator of the client configuration. @throws {CliError} `CLI_CONFIG_INVALID` */
export function openConfiguredOperator(config: ClientConfig): Operator {
  const { operator, control } = config;
  if (operator === undefined || control === undefined) {
    throw new CliError('CLI_CONFIG_INVALID', 'the client configuration names no operator', {
      hint: 'this is for operators: it needs `control` and `operator` in the configuration',
    });
  }
  return openOperator({ identity: operator, control });
}

/** Makes a tenant. */
export async function createTenant(
  { control }: Operator,
  request: TenantRequest,
): Promise<TenantAnswer> {
  return unwrap(
    await control.call<TenantAnswer>({ method: 'POST', path: '/v1/tenants', body: request }),
  );
}

/** The tenants that the control plane knows. */
export async function listTenants({ control }: Operator): Promise<readonly TenantAnswer[]> {
  const answer = await control.call<{ readonly items: readonly TenantAnswer[] }>({
    method: 'GET',
    path: '/v1/tenants',
  });
  return unwrap(answer).items;
}

/** The charter that the control plane delivers. */
export async function getCharter(
  { control }: Operator,
  options: { readonly deadlineMs?: number } = {},
): Promise<CharterAnswer> {
  const call = { method: 'GET', path: '/v1/charter', ...options } as const;
  return unwrap(await control.call<CharterAnswer>(call));
}

/** Adds accounts of a tenant to a cell, or changes those that are there. */
export async function putAccounts(
  cell: Transport,
  { tenant, accounts }: { readonly tenant: string; readonly accounts: readonly Account[] },
): Promise<void> {
  const path = `/internal/v1/tenants/${encodeURIComponent(tenant)}/accounts`;
  unwrap(await cell.call({ method: 'PUT', path, body: { accounts } }));
}

/** Tells a cell what the groups of a tenant's identity provider mean there. */
export async function putSignIn(
  cell: Transport,
  { tenant, signIn }: { readonly tenant: string; readonly signIn: SignInRequest },
): Promise<void> {
  const path = `/internal/v1/tenants/${encodeURIComponent(tenant)}/sign-in`;
  unwrap(await cell.call({ method: 'PUT', path, body: signIn }));
}
