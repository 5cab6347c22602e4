// SPDX-License-Identifier: Apache-2.0
// What operators set up for a tenant over the internal listener: its accounts and what the groups of its
// own identity provider mean. Names must be the charter's; each change is entered with the tenant's others.

import { findJurisdiction } from '@bailiwick/atlas';
import {
  type Account,
  type AccountsRequest,
  AccountsRequestSchema,
  type SignInRequest,
  SignInRequestSchema,
} from '@bailiwick/contracts';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { CellError } from '../errors.ts';
import { requireOperator } from '../internal/peer.ts';
import type { CellRuntime } from '../runtime.ts';
import { deleteSessions } from '../sign-ins/session-store.ts';
import { listAccounts, putAccounts } from './account-store.ts';
import { putSignIn } from './tenant-store.ts';

interface TenantParams {
  readonly tenantId: string;
}

export interface TenantRouteOptions {
  /** Called after a change: what was verified before may not hold any more. */
  readonly onChange: (tenantId: TenantId) => void;
}

/** Registers the operators' routes of tenants. */
export function registerTenantRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  { onChange }: TenantRouteOptions,
): void {
  app.put<{ Params: TenantParams; Body: AccountsRequest }>(
    '/internal/v1/tenants/:tenantId/accounts',
    { schema: { body: AccountsRequestSchema } },
    async (request) => {
      const operator = requireOperator(request);
      const tenantId = requireTenant(runtime, request.params.tenantId);
      const { accounts } = request.body;
      for (const [index, account] of accounts.entries()) checkAccount(runtime, account, index);
      const prepared = accounts.map((account) =>
        runtime.entries.prepare(tenantId, { kind: 'account', facts: toFacts(account, operator) }),
      );
      await runtime.database.withTenant(tenantId, async (tx) => {
        await putAccounts(tx, tenantId, accounts);
        await runtime.entries.insertPrepared(tx, prepared);
      });
      onChange(tenantId);
      return { items: accounts.map(({ account }) => ({ account })) };
    },
  );
  app.get<{ Params: TenantParams }>('/internal/v1/tenants/:tenantId/accounts', async (request) => {
    requireOperator(request);
    const tenantId = requireTenant(runtime, request.params.tenantId);
    return { items: await listAccounts(runtime.database, tenantId) };
  });
  app.put<{ Params: TenantParams; Body: SignInRequest }>(
    '/internal/v1/tenants/:tenantId/sign-in',
    { schema: { body: SignInRequestSchema } },
    async (request) => {
      const operator = requireOperator(request);
      const tenantId = requireTenant(runtime, request.params.tenantId);
      for (const [group, grant] of Object.entries(request.body.grants)) {
        checkNames(runtime, { ...grant, place: request.body.place }, `/grants/${group}`);
      }
      const entry = runtime.entries.prepare(tenantId, {
        kind: 'account',
        facts: { change: 'sign-in', groupCount: Object.keys(request.body.grants).length, operator },
      });
      await runtime.database.withTenant(tenantId, async (tx) => {
        await putSignIn(tx, request.body);
        // What a group meant when somebody signed in may no longer be so.
        await deleteSessions(tx);
        await runtime.entries.insertPrepared(tx, [entry]);
      });
      onChange(tenantId);
      return { tenantId };
    },
  );
}

function requireTenant(runtime: CellRuntime, text: string): TenantId {
  const tenantId = parseTenantId(text);
  if (runtime.law.current().findTenant(tenantId) !== undefined) return tenantId;
  throw new CellError('CELL_NOT_FOUND', 'no bundle has brought this tenant here');
}

function toFacts(
  account: Account,
  operator: string,
): Readonly<Record<string, string | readonly string[]>> {
  return {
    change: account.isDisabled === true ? 'disabled' : 'set-up',
    account: account.account,
    role: account.role,
    place: account.place,
    purposes: account.purposes,
    operator,
  };
}

function checkAccount(runtime: CellRuntime, account: Account, index: number): void {
  checkNames(runtime, account, `/accounts/${index}`);
}

interface Named {
  readonly role: string;
  readonly employer: string;
  readonly place: string;
  readonly purposes: readonly string[];
  readonly defaultPurpose?: string;
}

function checkNames(runtime: CellRuntime, named: Named, pointer: string): void {
  const { charter } = runtime.law.current();
  const check = (isRight: boolean, key: string, expected: string): void => {
    if (isRight) return;
    throw new CellError('CELL_INPUT_INVALID', 'see `errors`', {
      places: [{ pointer: `${pointer}/${key}`, detail: expected }],
    });
  };
  const { purposes, defaultPurpose } = named;
  check(charter.roles.includes(named.role), 'role', 'expected a role of the charter');
  check(
    charter.employers.includes(named.employer),
    'employer',
    'expected an employer of the charter',
  );
  check(
    findJurisdiction(named.place)?.id === named.place,
    'place',
    'expected a jurisdiction of the atlas',
  );
  const isKnown = purposes.every((purpose) => charter.purposes.includes(purpose));
  check(isKnown, 'purposes', 'expected purposes of the charter');
  const isGranted = defaultPurpose === undefined || purposes.includes(defaultPurpose);
  check(isGranted, 'defaultPurpose', 'expected one of `purposes`');
}
