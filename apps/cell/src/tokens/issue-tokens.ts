// SPDX-License-Identifier: Apache-2.0
// The two grants of the token endpoint: an account proves its key and gets an access token; an access
// token is exchanged for a residency claim, which names no account.
import type { Account } from '@bailiwick/contracts';
import {
  type Clock,
  isCoded,
  parseResidency,
  parseTenantId,
  type Residency,
  type TenantId,
} from '@bailiwick/kernel';
import { parsePinnedKey } from '@bailiwick/keys';
import {
  CLIENT_ASSERTION_TYPE,
  type IssuedToken,
  readClientId,
  type TokenIssuer,
  verifyClientAssertion,
} from '@bailiwick/oidc';
import type { Database } from '@bailiwick/postgres';
import type { CredentialVerifier, TenantDirectory } from '../credentials/credential-verifier.ts';
import { CellError } from '../errors.ts';
import { findAccount } from '../tenants/account-store.ts';
import { createReplayStore } from './replay-store.ts';

/** How long an access token and a residency claim hold. */
export const TOKEN_VALID_FOR_MS = 300_000;
export const EXCHANGE_GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN_TYPE_URN = 'urn:ietf:params:oauth:token-type:access_token';
export const RESIDENCY_TOKEN_TYPE_URN = 'urn:bailiwick:token-type:residency';

export type TokenForm = Readonly<Record<string, string>>;

export interface TokenPorts {
  readonly clock: Clock;
  readonly database: Database;
  /** The cell's server name: audience of assertions. */
  readonly audience: string;
  readonly issuer: TokenIssuer;
  readonly credentials: CredentialVerifier;
  readonly tenants: TenantDirectory;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

function refuse(field: string, expected: string): never {
  throw new CellError('CELL_INPUT_INVALID', 'see `errors`', {
    places: [{ pointer: `/${field}`, detail: expected }],
  });
}

function read(form: TokenForm, field: string): string {
  return form[field] ?? refuse(field, 'expected a value');
}

/** `grant_type=client_credentials` with private_key_jwt (RFC 7523). */
export async function issueAccessToken(ports: TokenPorts, form: TokenForm): Promise<IssuedToken> {
  if (read(form, 'client_assertion_type') !== CLIENT_ASSERTION_TYPE) {
    refuse('client_assertion_type', `expected \`${CLIENT_ASSERTION_TYPE}\``);
  }
  const tenantId = readTenant(form);
  const assertion = read(form, 'client_assertion');
  const clientId = readClientId(assertion);
  if (form['client_id'] !== undefined && form['client_id'] !== clientId) {
    refuse('client_id', 'expected the subject of the assertion');
  }
  assertServed(ports, tenantId);
  const account = UUID.test(clientId)
    ? await findAccount(ports.database, { tenantId, account: clientId })
    : undefined;
  await verifyClientAssertion(
    { clock: ports.clock, replays: createReplayStore(ports.database, tenantId) },
    // SECURITY: an unknown account has no keys and fails as one with a wrong key does: the answer does not
    // tell which accounts exist.
    { assertion, clientId, audience: ports.audience, keys: toKeys(account) },
  );
  if (account === undefined || account.isDisabled === true) {
    throw new CellError('CELL_ACCOUNT_UNKNOWN', 'the account is not known or is disabled');
  }
  // Only now: an outsider learns of no suspension, and enters nothing in the tenant's part of the ledger.
  assertNotSuspended(ports, tenantId);
  const { publicKeys: _keys, isDisabled: _isDisabled, ...claims } = account;
  return ports.issuer.issueAccessToken({ tenantId, ...claims }, { validForMs: TOKEN_VALID_FOR_MS });
}

function toKeys(account: Account | undefined): Parameters<typeof verifyClientAssertion>[1]['keys'] {
  if (account === undefined || account.isDisabled === true) return [];
  return account.publicKeys.map(parsePinnedKey);
}

function readTenant(form: TokenForm): TenantId {
  try {
    return parseTenantId(read(form, 'tenant'));
  } catch (error) {
    if (isCoded(error, 'KERNEL_ID_INVALID')) return refuse('tenant', 'expected a uuid');
    throw error;
  }
}

function assertServed({ tenants }: TokenPorts, tenantId: TenantId): void {
  const tenant = tenants.findTenant(tenantId);
  // The same answer as for a wrong key: the endpoint does not tell which tenants are here.
  if (tenant === undefined) throw new CellError('CELL_ACCOUNT_UNKNOWN', 'the account is not known');
}

/** `tenantId` stands in the details of what is refused to a verified account: its tenant sees the refusal. */
function assertNotSuspended({ tenants }: TokenPorts, tenantId: TenantId): void {
  if (tenants.findTenant(tenantId)?.state !== 'suspended') return;
  throw new CellError('CELL_TENANT_SUSPENDED', 'the tenant is suspended in this cell', {
    details: { tenantId },
  });
}

/** `grant_type=urn:…:token-exchange` (RFC 8693) for a residency claim. */
export async function issueResidencyClaim(
  ports: TokenPorts,
  form: TokenForm,
): Promise<IssuedToken> {
  if (read(form, 'subject_token_type') !== ACCESS_TOKEN_TYPE_URN) {
    refuse('subject_token_type', `expected \`${ACCESS_TOKEN_TYPE_URN}\``);
  }
  if (read(form, 'requested_token_type') !== RESIDENCY_TOKEN_TYPE_URN) {
    refuse('requested_token_type', `expected \`${RESIDENCY_TOKEN_TYPE_URN}\``);
  }
  const stated = form['tenant'] === undefined ? undefined : readTenant(form);
  const account = await ports.credentials.verifyAccess(read(form, 'subject_token'), stated);
  assertServed(ports, account.tenantId);
  assertNotSuspended(ports, account.tenantId);
  const { tenantId } = account;
  const residency = readResidency(form);
  if (!ports.tenants.isResidency(residency)) {
    throw new CellError('RESIDENCY_UNSUPPORTED', 'the charter has no cell of this residency', {
      details: { tenantId },
    });
  }
  const tenant = ports.tenants.findTenant(tenantId);
  if (tenant?.residencies.includes(residency) !== true) {
    throw new CellError('RESIDENCY_FORBIDDEN', 'the contract does not name this residency', {
      details: { tenantId },
    });
  }
  return ports.issuer.issueResidencyClaim(
    { tenantId, residency },
    { validForMs: TOKEN_VALID_FOR_MS },
  );
}

function readResidency(form: TokenForm): Residency {
  try {
    return parseResidency(read(form, 'resource'));
  } catch (error) {
    if (isCoded(error, 'KERNEL_ID_INVALID')) return refuse('resource', 'expected a residency');
    throw error;
  }
}
