// SPDX-License-Identifier: Apache-2.0
// A tenant of a test's own, made as an operator makes one: what happens to it is nobody else's.
import { type createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { RESIDENCIES, type ResidencyName } from './demo.ts';
import { type Caller, openCaller, sendAsOperator } from './http.ts';
import type { SharedSystem, SystemAccount } from './shared.ts';
import { waitUntil } from './wait-until.ts';

export interface AccountPlan {
  readonly role: string;
  readonly purposes: readonly string[];
  readonly kind?: 'workload' | 'person';
  /** Absent: the first of `purposes`; null: none. */
  readonly defaultPurpose?: string | null;
}

export interface OwnTenant {
  readonly tenantId: string;
  readonly accounts: Readonly<Record<string, SystemAccount>>;
  /** One of its accounts, signed in to a cell. */
  as(name: string, residency: ResidencyName): Promise<Caller>;
}

/** The accounts that a shop has. */
export const SHOP_ACCOUNTS: Readonly<Record<string, AccountPlan>> = {
  shop: {
    role: 'shop-service',
    purposes: ['order-fulfilment', 'customer-support', 'legal-obligation'],
  },
  analyst: { role: 'analyst', kind: 'person', purposes: ['statistics', 'analytics'] },
  privacy: {
    role: 'privacy-officer',
    kind: 'person',
    purposes: ['legal-obligation', 'order-fulfilment'],
  },
  security: { role: 'security-officer', kind: 'person', purposes: ['operations'] },
  admin: { role: 'tenant-admin', kind: 'person', purposes: ['order-fulfilment', 'operations'] },
};

const PLACES: Readonly<Record<ResidencyName, string>> = {
  'eu-de': 'de',
  'uk-lon': 'uk',
  'us-va': 'us-va',
  'au-syd': 'au',
};

/** Makes a tenant with homes in these residencies, and accounts in the cells of `accountsIn`. */
export async function createTenant(
  system: SharedSystem,
  options: {
    readonly residencies?: readonly ResidencyName[];
    readonly accountsIn?: readonly ResidencyName[];
    readonly accounts?: Readonly<Record<string, AccountPlan>>;
    readonly terms?: unknown;
  } = {},
): Promise<OwnTenant> {
  const residencies = options.residencies ?? RESIDENCIES;
  const made = await sendAsOperator(system, system.control, {
    method: 'POST',
    path: '/v1/tenants',
    body: {
      homes: residencies.map((residency) => ({ residency, cell: system.cell(residency).cell })),
      ...(options.terms === undefined ? {} : { terms: options.terms }),
    },
  });
  if (made.status !== 201) throw new Error(`no tenant: ${made.text}`);
  const tenantId: string = made.body.tenantId;
  const plans = Object.entries(options.accounts ?? SHOP_ACCOUNTS);
  const keys = plans.map(() => generateKeyPairSync('ed25519'));
  const ids = plans.map((): Record<string, string> => ({}));
  for (const residency of options.accountsIn ?? residencies) {
    const accounts = plans.map(([, plan], index) => {
      const account = randomUUID();
      const at = ids[index];
      if (at !== undefined) at[residency] = account;
      return toAccount(plan, { account, residency, publicKey: toText(keys[index]?.publicKey) });
    });
    await putAccounts(system, { tenantId, residency, accounts });
  }
  const accounts = Object.fromEntries(
    plans.map(([name], index) => [
      name,
      {
        tenant: tenantId,
        ids: ids[index] ?? {},
        key: String(keys[index]?.privateKey.export({ type: 'pkcs8', format: 'pem' })),
      },
    ]),
  );
  return {
    tenantId,
    accounts,
    as(name, residency) {
      const account = accounts[name];
      if (account === undefined) throw new Error(`the tenant has no account \`${name}\``);
      return openCaller(system, residency, account);
    },
  };
}

const toText = (key: ReturnType<typeof createPublicKey> | undefined): string =>
  key?.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64') ?? '';

function toAccount(
  { role, purposes, kind = 'workload', defaultPurpose }: AccountPlan,
  of: { readonly account: string; readonly residency: ResidencyName; readonly publicKey: string },
): object {
  const first = defaultPurpose === undefined ? purposes[0] : (defaultPurpose ?? undefined);
  return {
    account: of.account,
    kind,
    role,
    employer: 'controller',
    assurance: 'high',
    place: PLACES[of.residency],
    purposes,
    ...(first === undefined ? {} : { defaultPurpose: first }),
    publicKeys: [of.publicKey],
  };
}

/** A cell knows a tenant only once its bundle has come. */
async function putAccounts(
  system: SharedSystem,
  of: {
    readonly tenantId: string;
    readonly residency: ResidencyName;
    readonly accounts: readonly object[];
  },
): Promise<void> {
  const { internalPort, spiffeId } = system.cell(of.residency);
  await waitUntil(`a tenant in ${of.residency}`, async () => {
    const answer = await sendAsOperator(
      system,
      { port: internalPort, spiffeId },
      {
        method: 'PUT',
        path: `/internal/v1/tenants/${of.tenantId}/accounts`,
        body: { accounts: of.accounts },
      },
    );
    if (answer.status === 200) return true;
    // Not heard of the tenant yet, or of any law.
    if (answer.status === 404 || answer.status === 503) return undefined;
    throw new Error(`no accounts: ${answer.text}`);
  });
}
