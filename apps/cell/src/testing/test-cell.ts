// SPDX-License-Identifier: Apache-2.0
// A whole cell in this process for tests: real PostgreSQL, real key service, real ledger, real TLS
// identities; the control plane is a pair of keys that signs what a test wants to deliver.
import { createHash, type KeyObject, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  type Account,
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  BUNDLE_PAYLOAD_TYPE,
  type Bundle,
  FRESHNESS_PAYLOAD_TYPE,
} from '@bailiwick/contracts';
import {
  type CellId,
  type Json,
  parseCellId,
  parseTenantId,
  type TenantId,
  toCanonicalJson,
  toInstant,
  toResidency,
} from '@bailiwick/kernel';
import {
  type DsseEnvelope,
  type DsseSigner,
  signDsse,
  toDsseKeyId,
  toDsseSigner,
  toPublicKeyText,
} from '@bailiwick/keys';
import { CLIENT_ASSERTION_TYPE, signClientAssertion } from '@bailiwick/oidc';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import { assembleCell, type Cell } from '../assemble.ts';
import { CustodyFiles } from '../key-service/providers/custody-files.ts';
import {
  openProviderRegistry,
  type ProviderRegistry,
} from '../key-service/providers/provider-registry.ts';
import { openLocalKeyRing } from '../keys/local-key-ring.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { putAccounts } from '../tenants/account-store.ts';
import { newKey, PLACES, TRUST_DOMAIN, writeTestConfig } from './test-config.ts';

export const RETAILER_CHARTER: string = readFileSync(
  path.resolve(import.meta.dirname, '../../../../charters/retailer.yaml'),
  'utf8',
);

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What a test says about the next bundle; the rest is as before. */
export interface BundleOverrides {
  readonly charterText?: string;
  readonly tenants?: readonly TestTenant[];
  readonly serial?: number;
  readonly charterSerial?: number;
  readonly cell?: CellId;
  readonly bundleKeys?: readonly string[];
  readonly trustSerial?: number;
  /** Approvers who sign for the charter; default both. */
  readonly charterApprovers?: readonly DsseSigner[];
  readonly approvals?: readonly DsseEnvelope[];
  readonly signer?: DsseSigner;
  readonly freshForMs?: number;
  readonly candidate?: Bundle['candidate'];
  /** Cells that listen, by residency. */
  readonly peers?: Readonly<Record<string, TestPeer>>;
}

export interface TestPeer {
  readonly internalPort: number;
  readonly signingKey: string;
}

export interface TestTenant {
  readonly tenantId: TenantId;
  readonly state?: 'active' | 'suspended' | 'leaving';
  readonly terms?: Record<string, unknown>;
  readonly termsSerial?: number;
  readonly agreement?: unknown;
  /** Residency to cell. */
  readonly homes: Readonly<Record<string, string>>;
}

/** What a test says about an account; `defaultPurpose: undefined` takes the default away. */
export type AccountOverrides = Omit<Partial<Account>, 'defaultPurpose'> & {
  readonly defaultPurpose?: string | undefined;
};

/** An account of a test with its key. */
export interface TestAccount extends Account {
  readonly tenantId: TenantId;
  readonly privateKey: KeyObject;
}

export interface TestAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface TestCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly as?: TestAccount;
  readonly purpose?: string;
}

export interface TestCell {
  readonly cell: Cell;
  readonly name: string;
  readonly directory: string;
  readonly database: TestDatabase;
  readonly approvers: readonly DsseSigner[];
  readonly controlSigner: DsseSigner;
  signBundle(overrides?: BundleOverrides): DsseEnvelope;
  /** Signs the next bundle and takes it. */
  deliver(overrides?: BundleOverrides): Promise<void>;
  refresh(validForMs?: number): void;
  addAccount(tenantId: TenantId, account?: AccountOverrides): Promise<TestAccount>;
  tokenOf(account: TestAccount): Promise<string>;
  claimOf(account: TestAccount, residency?: string): Promise<string>;
  call(call: TestCall): Promise<TestAnswer>;
  stop(): Promise<void>;
}

export const newTenant = (
  homes: Readonly<Record<string, string>> = { 'eu-de': 'eu-de/main' },
): TestTenant => ({
  tenantId: parseTenantId(randomUUID()),
  homes,
});

/** Signs a statement by these approvers. */
export function approve(
  statement: Omit<ApprovalStatement, 'v'>,
  signers: readonly DsseSigner[],
): DsseEnvelope {
  const payload = Buffer.from(JSON.stringify({ v: 1, ...statement }));
  return signDsse({ payloadType: APPROVAL_PAYLOAD_TYPE, payload }, signers);
}

/** Starts a cell; it has a charter and the given tenants, and its law is fresh for a minute. */
export async function startTestCell(
  options: {
    readonly cell?: string;
    readonly tenants?: readonly TestTenant[];
    readonly isLawless?: boolean;
    /** Directory of an authority that issues this cell's identity; default one of its own. */
    readonly authority?: string;
    readonly limits?: Readonly<Record<string, number>>;
    /** The `witnesses` section of its configuration, with the defaults filled in. */
    readonly witnesses?: Readonly<Record<string, unknown>>;
    /** The `counsels` section of its configuration. */
    readonly counsels?: readonly Readonly<Record<string, unknown>>[];
    /** Directory of a built portal; default none. */
    readonly portal?: string;
    /** Signs its checkpoints; default a new one. */
    readonly ledgerKey?: KeyObject;
    /** Directory of an object store for backups; default: no backups. */
    readonly backups?: string;
    readonly backupKey?: string;
    readonly backupPlace?: { readonly jurisdiction: string; readonly operator: string };
    readonly epoch?: number;
    /** Directory of exports; default none. */
    readonly exports?: string;
    readonly traces?: Readonly<Record<string, unknown>>;
    /** A database that is there already; closed with the cell. */
    readonly database?: TestDatabase;
    /** Where customer keys and the erasable store lie; default in the cell's own directory. */
    readonly keysDirectory?: string;
    /** Another cell whose control plane and approvers this one trusts too. */
    readonly sameTrustAs?: TestCell;
  } = {},
): Promise<TestCell> {
  const cellId = parseCellId(options.cell ?? 'eu-de/main');
  const database = options.database ?? (await withTestDatabase());
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-cell-'));
  try {
    const { sameTrustAs, ...rest } = options;
    const control = sameTrustAs?.controlSigner ?? toDsseSigner(newKey());
    const approvers = sameTrustAs?.approvers ?? [toDsseSigner(newKey()), toDsseSigner(newKey())];
    const config = await writeTestConfig({
      ...rest,
      ...{ cellId, directory, database, control, approvers },
    });
    const keysDirectory = options.keysDirectory ?? directory;
    const cell = await assembleCell({
      config,
      clock: systemClock,
      random: createSystemRandom(),
      log: openLog({ component: 'test', directory: config.telemetry.directory }),
      openKeys: (ports) =>
        openLocalKeyRing({
          ...ports,
          ...{ cellId, keysUrl: database.keysUrl, directory: keysDirectory, backups: config },
          providers: openTestProviders(keysDirectory),
        }),
    });
    const test = new RunningTestCell({ cell, directory, database, approvers, control, cellId });
    if (options.isLawless !== true) {
      await test.deliver({ tenants: options.tenants ?? [] });
      test.refresh();
    }
    await cell.publicServer.ready();
    return test;
  } catch (error) {
    await database.close();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** The cell's own provider in files, and tenants' custody files in `custody`. */
function openTestProviders(directory: string): ProviderRegistry {
  const custody = path.join(directory, 'custody');
  mkdirSync(custody, { recursive: true, mode: 0o700 });
  return openProviderRegistry({
    clock: systemClock,
    random: createSystemRandom(),
    own: { kind: 'file', directory: path.join(directory, 'keys') },
    files: new CustodyFiles(custody),
    surroundings: { workload: 'test', identity: { certFile: '', keyFile: '' } },
  });
}

interface RunningParts {
  readonly cell: Cell;
  readonly cellId: CellId;
  readonly directory: string;
  readonly database: TestDatabase;
  readonly approvers: readonly DsseSigner[];
  readonly control: DsseSigner;
}

class RunningTestCell implements TestCell {
  readonly cell: Cell;
  readonly directory: string;
  readonly database: TestDatabase;
  readonly approvers: readonly DsseSigner[];
  readonly controlSigner: DsseSigner;
  readonly #cellId: CellId;
  readonly #tokens = new Map<TestAccount, Promise<string>>();
  readonly #claims = new Map<string, Promise<string>>();
  #charterText = RETAILER_CHARTER;
  #charterSerial = 0;
  #charterApproval: DsseEnvelope | undefined;
  #tenants: readonly TestTenant[] = [];

  constructor(parts: RunningParts) {
    this.cell = parts.cell;
    this.directory = parts.directory;
    this.database = parts.database;
    this.approvers = parts.approvers;
    this.controlSigner = parts.control;
    this.#cellId = parts.cellId;
  }

  get name(): string {
    return this.cell.runtime.config.public.name;
  }

  signBundle(overrides: BundleOverrides = {}): DsseEnvelope {
    const bundle = this.#toBundle(overrides);
    const payload = Buffer.from(JSON.stringify(bundle));
    const signer = overrides.signer ?? this.controlSigner;
    return signDsse({ payloadType: BUNDLE_PAYLOAD_TYPE, payload }, [signer]);
  }

  #toBundle(overrides: BundleOverrides): Bundle {
    const text = overrides.charterText ?? this.#charterText;
    const isNewText = text !== this.#charterText || this.#charterSerial === 0;
    const charterSerial = overrides.charterSerial ?? this.#charterSerial + (isNewText ? 1 : 0);
    const signers = overrides.charterApprovers ?? this.approvers;
    const statement = { subject: 'charter', serial: charterSerial, hash: sha256(text) } as const;
    const approval =
      isNewText || overrides.charterApprovers !== undefined
        ? signers.length === 0
          ? undefined
          : approve(statement, signers)
        : this.#charterApproval;
    const tenants = overrides.tenants ?? this.#tenants;
    const { config } = this.cell.runtime;
    return {
      v: 1,
      cell: overrides.cell ?? this.#cellId,
      serial: overrides.serial ?? this.cell.runtime.law.serial() + 1,
      issuedAt: toInstant(Date.now()),
      charter: {
        serial: charterSerial,
        text,
        textHash: sha256(text),
        freshForMs: overrides.freshForMs ?? 60_000,
      },
      ...(overrides.candidate === undefined ? {} : { candidate: overrides.candidate }),
      tenants: tenants.map(toBundleTenant),
      homes: tenants.flatMap((tenant) =>
        Object.entries(tenant.homes).map(([residency, cell]) => ({
          tenantId: tenant.tenantId,
          residency: toResidency(parseCellId(residency)),
          cell: parseCellId(cell),
        })),
      ),
      cells: Object.entries(PLACES).map(([residency, place]) => ({
        cell: parseCellId(residency),
        residency: toResidency(parseCellId(residency)),
        name: `${residency}.cells.${TRUST_DOMAIN}`,
        addresses: [{ host: '127.0.0.1', port: 1 }],
        spiffeId: `spiffe://${TRUST_DOMAIN}/cell/${residency}/main`,
        internal: { host: '127.0.0.1', port: overrides.peers?.[residency]?.internalPort ?? 1 },
        ...toSigningKey(overrides.peers?.[residency]),
        location: place.jurisdiction,
        operator: place.operator,
      })),
      trust: {
        serial: overrides.trustSerial ?? 1,
        bundleKeys: overrides.bundleKeys ?? config.control.bundleKeys,
      },
      approvals: [...(approval === undefined ? [] : [approval]), ...(overrides.approvals ?? [])],
    };
  }

  async deliver(overrides: BundleOverrides = {}): Promise<void> {
    const bundle = this.#toBundle(overrides);
    await this.cell.runtime.law.take(this.signBundle(overrides));
    this.#charterText = bundle.charter.text;
    this.#charterSerial = bundle.charter.serial;
    this.#tenants = overrides.tenants ?? this.#tenants;
    const approval = bundle.approvals.find((one): one is DsseEnvelope => one !== undefined);
    this.#charterApproval = approval ?? this.#charterApproval;
  }

  refresh(validForMs = 60_000): void {
    const { law, clock } = this.cell.runtime;
    const nonce = 'n'.repeat(24);
    const statement = {
      v: 1,
      cell: this.#cellId,
      serial: law.serial(),
      nonce,
      issuedAt: toInstant(Date.now()),
      validForMs,
    };
    const payload = Buffer.from(JSON.stringify(statement));
    const envelope = signDsse({ payloadType: FRESHNESS_PAYLOAD_TYPE, payload }, [
      this.controlSigner,
    ]);
    law.refresh(envelope, { nonce, askedAtMs: clock.monotonicMs() });
  }

  async addAccount(tenantId: TenantId, account: AccountOverrides = {}): Promise<TestAccount> {
    const privateKey = newKey();
    const isAimless = 'defaultPurpose' in account && account.defaultPurpose === undefined;
    const made: Account = {
      account: randomUUID(),
      kind: 'workload',
      role: 'shop-service',
      employer: 'controller',
      assurance: 'high',
      place: this.cell.runtime.config.location.jurisdiction,
      purposes: ['order-fulfilment', 'customer-support'],
      ...(isAimless ? {} : { defaultPurpose: 'order-fulfilment' }),
      publicKeys: [toPublicKeyText(privateKey)],
      ...withoutDefault(account),
    };
    await this.cell.runtime.database.withTenant(tenantId, (tx) =>
      putAccounts(tx, tenantId, [made]),
    );
    return { ...made, tenantId, privateKey };
  }

  tokenOf(account: TestAccount): Promise<string> {
    const known = this.#tokens.get(account);
    if (known !== undefined) return known;
    const made = this.#fetchToken(account);
    this.#tokens.set(account, made);
    return made;
  }

  async #fetchToken(account: TestAccount): Promise<string> {
    const assertion = await signClientAssertion(this.cell.runtime, {
      clientId: account.account,
      audience: this.name,
      keyId: toDsseKeyId(account.privateKey),
      privateKey: account.privateKey,
    });
    const { status, body } = await this.call({
      method: 'POST',
      path: '/v1/tokens',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        tenant: account.tenantId,
        client_assertion_type: CLIENT_ASSERTION_TYPE,
        client_assertion: assertion,
      }).toString(),
    });
    if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  claimOf(account: TestAccount, residency = String(toResidency(this.#cellId))): Promise<string> {
    const key = `${account.tenantId} ${residency}`;
    const known = this.#claims.get(key);
    if (known !== undefined) return known;
    const made = this.#fetchClaim(account, residency);
    this.#claims.set(key, made);
    return made;
  }

  async #fetchClaim(account: TestAccount, residency: string): Promise<string> {
    const { status, body } = await this.call({
      method: 'POST',
      path: '/v1/tokens',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: await this.tokenOf(account),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        requested_token_type: 'urn:bailiwick:token-type:residency',
        resource: residency,
      }).toString(),
    });
    if (status !== 200) throw new Error(`no claim: ${JSON.stringify(body)}`);
    return body.access_token;
  }

  async call({
    method = 'GET',
    path: url,
    body,
    headers,
    as,
    purpose,
  }: TestCall): Promise<TestAnswer> {
    const credentials =
      as === undefined
        ? {}
        : {
            authorization: `Bearer ${await this.tokenOf(as)}`,
            'bailiwick-residency': await this.claimOf(as),
          };
    const isText = typeof body === 'string';
    const answer = await this.cell.publicServer.inject({
      method,
      url,
      headers: {
        host: this.name,
        ...credentials,
        ...(method === 'POST' ? { 'idempotency-key': randomUUID() } : {}),
        ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }),
        ...(purpose === undefined ? {} : { 'bailiwick-purpose': purpose }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: isText ? body : JSON.stringify(body) }),
    });
    const isJson = String(answer.headers['content-type']).includes('json');
    return {
      status: answer.statusCode,
      body: isJson ? answer.json() : answer.payload,
      headers: answer.headers,
    };
  }

  async stop(): Promise<void> {
    await this.cell.stop();
    await this.database.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function withoutDefault({ defaultPurpose, ...account }: AccountOverrides): Partial<Account> {
  return defaultPurpose === undefined ? account : { ...account, defaultPurpose };
}

function toSigningKey(peer: TestPeer | undefined): { readonly signingKey?: string } {
  return peer === undefined ? {} : { signingKey: peer.signingKey };
}

function toBundleTenant(tenant: TestTenant): Bundle['tenants'][number] {
  const terms = tenant.terms ?? { terms: 1, version: 1 };
  return {
    tenantId: tenant.tenantId,
    state: tenant.state ?? 'active',
    residencies: Object.keys(tenant.homes).map((residency) => toResidency(parseCellId(residency))),
    termsSerial: tenant.termsSerial ?? 1,
    termsHash: sha256(toCanonicalJson(terms as Json)),
    terms,
    ...(tenant.agreement === undefined ? {} : { agreement: tenant.agreement }),
  };
}
