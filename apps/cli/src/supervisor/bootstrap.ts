// SPDX-License-Identifier: Apache-2.0
// From running processes to a system with law, tenants and accounts: what operators and approvers do once
// by hand. Each step looks first at what is there, so that a second start changes nothing.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
} from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Account, APPROVAL_PAYLOAD_TYPE, type ApprovalStatement } from '@bailiwick/contracts';
import { isCoded, parseCellId, parseResidency, toCanonicalJson } from '@bailiwick/kernel';
import { addDsseSignature, type DsseEnvelope, signDsse, toDsseSigner } from '@bailiwick/keys';
import { type Client, unwrap } from '@bailiwick/sdk';
import { stringify } from 'yaml';
import type { ClientFile, ConfiguredAccount, ConfiguredTenant } from '../config.ts';
import { readText } from '../connect.ts';
import { CliError } from '../errors.ts';
import { createTenant, getCharter, listTenants, type Operator, putAccounts } from '../operator.ts';
import { toIdentityFiles, toPublicKeyText, writeSecret } from './identities.ts';
import type { CellPlan, Layout } from './layout.ts';
import { preparePeople } from './people.ts';
import { APPROVERS, type System, toApproverFile } from './system.ts';
import { toLedgerKey } from './witnesses.ts';

/** An account as the demonstration sets it up in each cell. */
export interface AccountPlan {
  readonly name: string;
  readonly role: string;
  readonly kind: 'workload' | 'person';
  readonly purposes: readonly string[];
}

/** Tenants and accounts of the demonstration. */
export interface Tenancy {
  readonly name: string;
  readonly accounts: readonly AccountPlan[];
  /** Its people sign in at the demonstration's identity provider. */
  readonly hasPeople?: boolean;
}

const TAKEN_TIMEOUT_MS = 30_000;
const POLL_MS = 100;

/** What is remembered between starts: which opaque ids the demonstration's names stand for. */
interface Remembered {
  readonly tenants: Record<string, string>;
  /** By tenant, account and residency. */
  readonly accounts: Record<string, Record<string, Record<string, string>>>;
}

function readRemembered(file: string): Remembered {
  if (!existsSync(file)) return { tenants: {}, accounts: {} };
  return JSON.parse(readFileSync(file, 'utf8')) as Remembered;
}

/** Tells the control plane which cells there are. */
export async function registerCells({ layout }: System, { control }: Operator): Promise<void> {
  for (const plan of layout.cells) {
    const body = {
      name: plan.name,
      addresses: [{ host: '127.0.0.1', port: plan.ports.public }],
      spiffeId: plan.spiffeId,
      internal: { host: '127.0.0.1', port: plan.ports.internal },
      location: plan.jurisdiction,
      operator: plan.operator,
    };
    unwrap(await control.call({ method: 'PUT', path: `/v1/cells/${plan.cell}`, body }));
  }
}

/** Waits until the control plane knows with which keys the cells sign; they announce them by themselves. */
export async function awaitAnnouncedKeys({ control }: Operator): Promise<void> {
  const deadline = performance.now() + TAKEN_TIMEOUT_MS;
  for (;;) {
    const answer = await control.call<{
      readonly items: readonly { readonly cell: string; readonly signingKey?: string }[];
    }>({ method: 'GET', path: '/v1/cells' });
    const silent = unwrap(answer).items.find(({ signingKey }) => signingKey === undefined);
    if (silent === undefined) return;
    if (performance.now() > deadline) {
      throw new CliError('CLI_CHILD_LATE', `the cell \`${silent.cell}\` has not announced its key`);
    }
    await wait(POLL_MS);
  }
}

/** Waits until the router has heard of every home of a tenant. */
export async function awaitDirectory(client: Client, tenant: ConfiguredTenant): Promise<void> {
  const deadline = performance.now() + TAKEN_TIMEOUT_MS;
  for (const residency of tenant.residencies) {
    for (;;) {
      try {
        await client.in(residency, { tenant: tenant.id });
        break;
      } catch (error) {
        if (!isCoded(error, 'SDK_RESIDENCY_UNKNOWN') || performance.now() > deadline) throw error;
      }
      await wait(POLL_MS);
    }
  }
}

/** Two people sign exactly this text under exactly this serial. */
function approve(layout: Layout, statement: ApprovalStatement): DsseEnvelope {
  const payload = Buffer.from(toCanonicalJson({ ...statement }));
  const [first, ...others] = APPROVERS.map((name) =>
    toDsseSigner(createPrivateKey(readFileSync(toApproverFile(layout, name), 'utf8'))),
  );
  if (first === undefined) throw new Error('assertion failed: there are approvers');
  const message = { payloadType: APPROVAL_PAYLOAD_TYPE, payload };
  return others.reduce<DsseEnvelope>(
    (envelope, signer) => addDsseSignature(envelope, signer),
    signDsse(message, [first]),
  );
}

/** The charter's text with the freshness of a demonstration, where a minute is too long to wait. */
export function toDemoCharter(file: string): string {
  const text = readText(file, 'the charter');
  return text.replace(/^freshFor:.*$/m, 'freshFor: 5s       # shortened by `bailiwick demo`');
}

/** Puts the charter in force unless it is; the serial is the control plane's next. */
export async function putCharter(
  { layout }: System,
  operator: Operator,
  text: string,
): Promise<{ readonly serial: number; readonly isNew: boolean }> {
  const current = await getCharter(operator);
  if (current.text === text) return { serial: current.serial, isNew: false };
  const serial = current.nextSerial ?? current.serial + 1;
  const hash = createHash('sha256').update(text, 'utf8').digest('hex');
  const approvals = [approve(layout, { v: 1, subject: 'charter', serial, hash })];
  const body = { text, serial, approvals };
  unwrap(await operator.control.call({ method: 'PUT', path: '/v1/charter', body }));
  return { serial, isNew: true };
}

/** Makes tenants and their accounts, waits until every cell has taken them, writes `client.yaml`. */
export async function prepareTenancies(
  { layout, keys }: System,
  operator: Operator,
  tenancies: readonly Tenancy[],
): Promise<string> {
  const file = path.join(layout.state, 'tenancies.json');
  const remembered = readRemembered(file);
  const known = new Set((await listTenants(operator)).map(({ tenantId }) => String(tenantId)));
  for (const { name } of tenancies) {
    const id = remembered.tenants[name];
    if (id !== undefined && known.has(id)) continue;
    const homes = layout.cells.map((plan) => ({
      residency: parseResidency(plan.residency),
      cell: parseCellId(plan.cell),
    }));
    const tenant = await createTenant(operator, { homes });
    remembered.tenants[name] = tenant.tenantId;
    remembered.accounts[name] = {};
    writeFileSync(file, JSON.stringify(remembered, null, 2), { mode: 0o600 });
  }
  for (const tenancy of tenancies) {
    await prepareAccounts({ layout, operator, remembered }, tenancy);
    if (tenancy.hasPeople === true) {
      const sign = (statement: ApprovalStatement): DsseEnvelope => approve(layout, statement);
      const work = { layout, operator, approve: sign, untilTaken };
      await preparePeople(work, remembered.tenants[tenancy.name] ?? '');
    }
    writeFileSync(file, JSON.stringify(remembered, null, 2), { mode: 0o600 });
  }
  return writeClientFile(layout, {
    tenancies,
    remembered,
    directoryKey: keys.bundleKey,
  });
}

const toKeyFile = (layout: Layout, tenant: string, account: string): string =>
  path.join(layout.accounts, tenant, `${account}.pem`);

interface AccountWork {
  readonly layout: Layout;
  readonly operator: Operator;
  readonly remembered: Remembered;
}

async function prepareAccounts(
  { layout, operator, remembered }: AccountWork,
  { name: tenancy, accounts }: Tenancy,
): Promise<void> {
  const tenant = remembered.tenants[tenancy] ?? '';
  const ids = remembered.accounts[tenancy] ?? {};
  remembered.accounts[tenancy] = ids;
  const publicKeys = new Map<string, string>();
  for (const { name } of accounts) {
    const keyFile = toKeyFile(layout, tenancy, name);
    if (!existsSync(keyFile)) {
      const { privateKey } = generateKeyPairSync('ed25519');
      writeSecret(keyFile, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    }
    publicKeys.set(name, toPublicKeyOf(keyFile));
    ids[name] ??= {};
  }
  await Promise.all(
    layout.cells.map(async (plan) => {
      const missing = accounts.filter(({ name }) => ids[name]?.[plan.residency] === undefined);
      if (missing.length === 0) return;
      const added = missing.map((account) => ({
        account,
        value: toAccount(account, plan, publicKeys.get(account.name) ?? ''),
      }));
      await untilTaken(plan, () =>
        putAccounts(operator.cell({ internal: toInternal(plan) }), {
          tenant,
          accounts: added.map(({ value }) => value),
        }),
      );
      for (const { account, value } of added) {
        const known = ids[account.name];
        if (known !== undefined) known[plan.residency] = value.account;
      }
    }),
  );
}

function toPublicKeyOf(keyFile: string): string {
  return toPublicKeyText(createPublicKey(readFileSync(keyFile, 'utf8')));
}

function toAccount(account: AccountPlan, plan: CellPlan, publicKey: string): Account {
  const [defaultPurpose] = account.purposes;
  return {
    account: randomUUID(),
    kind: account.kind,
    role: account.role,
    employer: 'controller',
    assurance: 'high',
    place: plan.jurisdiction,
    purposes: account.purposes,
    ...(defaultPurpose === undefined ? {} : { defaultPurpose }),
    publicKeys: [publicKey],
  };
}

const toInternal = (plan: CellPlan): { host: string; port: number; spiffeId: string } => ({
  host: '127.0.0.1',
  port: plan.ports.internal,
  spiffeId: plan.spiffeId,
});

/** A cell knows a tenant only once its bundle has come: asks again until then. */
async function untilTaken(plan: CellPlan, work: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + TAKEN_TIMEOUT_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new CliError(
          'CLI_CHILD_LATE',
          `the cell ${plan.residency} has not taken its tenants`,
          {
            cause: error,
            hint: `its log is \`${plan.directory}/logs/cell.log\``,
          },
        );
      }
    }
    await wait(POLL_MS);
  }
}

function toFirst({ cells }: Layout): NonNullable<ClientFile['directory']>['first'] {
  const [first] = cells;
  if (first === undefined) throw new Error('assertion failed: there is a cell');
  const { residency, name, ports } = first;
  return { residency, name, host: '127.0.0.1', port: ports.public };
}

function writeClientFile(
  layout: Layout,
  from: {
    readonly tenancies: readonly Tenancy[];
    readonly remembered: Remembered;
    readonly directoryKey: string;
  },
): string {
  const { tenancies, remembered, directoryKey } = from;
  const accounts: Record<string, Omit<ConfiguredAccount, 'name'>> = {};
  for (const { name: tenant, accounts: plans } of tenancies) {
    for (const { name } of plans) {
      const key = tenancies[0]?.name === tenant ? name : `${tenant}/${name}`;
      accounts[key] = {
        tenant,
        keyFile: path.relative(layout.state, toKeyFile(layout, tenant, name)),
        ids: remembered.accounts[tenant]?.[name] ?? {},
      };
    }
  }
  const residencies = layout.cells.map(({ residency }) => residency);
  const operator = toIdentityFiles(layout.operator.directory);
  const relative = (file: string): string => path.relative(layout.state, file);
  const value: ClientFile = {
    tenants: Object.fromEntries(
      tenancies.map(({ name }) => [name, { id: remembered.tenants[name] ?? '', residencies }]),
    ),
    accounts,
    caFile: relative(path.join(layout.authority, 'authority.pem')),
    directory: {
      first: toFirst(layout),
      router: { name: layout.router.name, host: '127.0.0.1', port: layout.router.port },
      keys: [directoryKey],
    },
    cells: Object.fromEntries(
      layout.cells.map((plan) => [
        plan.residency,
        {
          cell: plan.cell,
          name: plan.name,
          host: '127.0.0.1',
          port: plan.ports.public,
          internal: toInternal(plan),
          ledgerKey: toLedgerKey(plan),
        },
      ]),
    ),
    control: { host: '127.0.0.1', port: layout.control.port, spiffeId: layout.control.spiffeId },
    operator: {
      certFile: relative(operator.certFile),
      keyFile: relative(operator.keyFile),
      bundleFile: relative(operator.bundleFile),
    },
  };
  const file = path.join(layout.state, 'client.yaml');
  const head =
    '# Client configuration of the demo: `bailiwick … ` in this checkout finds it by itself\n';
  writeFileSync(file, head + stringify(value, { aliasDuplicateObjects: false }), { mode: 0o600 });
  return file;
}
