// SPDX-License-Identifier: Apache-2.0
// The files that a test's cell is configured with: identities, keys, secrets, folders.
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type CellConfig, parseCellConfig } from '@bailiwick/contracts';
import { type CellId, toResidency } from '@bailiwick/kernel';
import { type DsseSigner, toPublicKeyText } from '@bailiwick/keys';
import { createAuthority, openAuthority } from '@bailiwick/pki';
import type { TestDatabase } from '@bailiwick/postgres/testing';

export const TRUST_DOMAIN = 'bailiwick.localhost';

/** Where the retailer's cells stand and who operates them. */
export const PLACES: Readonly<
  Record<string, { readonly jurisdiction: string; readonly operator: string }>
> = {
  'eu-de': { jurisdiction: 'de', operator: 'de' },
  'uk-lon': { jurisdiction: 'uk', operator: 'uk' },
  'us-va': { jurisdiction: 'us-va', operator: 'us' },
  'au-syd': { jurisdiction: 'au', operator: 'au' },
};

/** A new Ed25519 key. */
export const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;

export interface TestConfigOptions {
  readonly cellId: CellId;
  readonly directory: string;
  readonly database: TestDatabase;
  readonly control: DsseSigner;
  readonly approvers: readonly DsseSigner[];
  /** Directory of an authority that issues the cell's identity; default one of its own. */
  readonly authority?: string;
  readonly limits?: Readonly<Record<string, number>>;
  readonly witnesses?: Readonly<Record<string, unknown>>;
  readonly ledgerKey?: KeyObject;
  readonly traces?: Readonly<Record<string, unknown>>;
  /** Directory of an object store for backups, which must exist; default: no backups. */
  readonly backups?: string;
  /** 32 bytes, base64; default a new key. */
  readonly backupKey?: string;
  /** Where that store stands; default with the cell. */
  readonly backupPlace?: { readonly jurisdiction: string; readonly operator: string };
  readonly epoch?: number;
  /** Directory of exports; default none. */
  readonly exports?: string;
  readonly counsels?: readonly Readonly<Record<string, unknown>>[];
  /** Directory of a built portal; default none. */
  readonly portal?: string;
}

const LIMITS = {
  bodySizeBytesMax: 65_536,
  inFlightCountMax: 64,
  inFlightPerTenantCountMax: 32,
  queuePerTenantCountMax: 64,
  requestMsMax: 20_000,
};

/** Writes a cell's files and gives its configuration. */
export async function writeTestConfig(options: TestConfigOptions): Promise<CellConfig> {
  const { cellId, directory, database, control, approvers } = options;
  const residency = toResidency(cellId);
  const place = PLACES[residency] ?? { jurisdiction: 'de', operator: 'de' };
  const at = (file: string): string => path.join(directory, file);
  const write = (file: string, text: string): string => {
    writeFileSync(at(file), text, { mode: 0o600 });
    return at(file);
  };
  for (const folder of ['state', 'logs']) mkdirSync(at(folder), { mode: 0o700 });
  const name = `${residency}.cells.${TRUST_DOMAIN}`;
  const { identity, server } = await writeIdentities(options, name);
  return parseCellConfig({
    cell: cellId,
    location: {
      jurisdiction: place.jurisdiction,
      observed: { kind: 'configured', jurisdiction: place.jurisdiction },
    },
    operator: { jurisdiction: place.operator, name: 'test' },
    public: { host: '127.0.0.1', port: 0, name, ...server },
    internal: { host: '127.0.0.1', port: 0 },
    identity,
    database: {
      urlFile: write('url', database.url),
      keysUrlFile: write('keys-url', database.keysUrl),
      poolSize: 8,
    },
    keyService: {
      host: '127.0.0.1',
      port: 1,
      customerKeys: { kind: 'file', directory: at('keys') },
      maxStalenessMs: 60_000,
      erasableStore: { replicas: [at('erasable/a'), at('erasable/b')] },
    },
    control: {
      url: 'https://127.0.0.1:1',
      spiffeId: `spiffe://${TRUST_DOMAIN}/control`,
      bundleKeys: [toPublicKeyText(control.privateKey)],
      pollMs: 50,
    },
    trust: { approvers: approvers.map(toApprover), threshold: 2 },
    ledger: {
      keyFile: write('ledger.pem', toPem(options.ledgerKey ?? newKey())),
      epoch: options.epoch ?? 1,
    },
    ...toBackups(options, write),
    ...(options.exports === undefined ? {} : { exports: { directory: options.exports } }),
    ...(options.witnesses === undefined ? {} : { witnesses: options.witnesses }),
    ...(options.counsels === undefined ? {} : { counsels: options.counsels }),
    ...(options.portal === undefined
      ? {}
      : { portal: { directory: options.portal, origin: `https://${name}` } }),
    state: at('state'),
    telemetry: {
      directory: at('logs'),
      level: 'debug',
      ...(options.traces === undefined ? {} : { traces: options.traces }),
    },
    limits: { ...LIMITS, ...options.limits },
  });
}

function toBackups(
  { backups, backupKey, backupPlace, database }: TestConfigOptions,
  write: (file: string, text: string) => string,
): object {
  if (backups === undefined) return {};
  const key = backupKey ?? randomBytes(32).toString('base64');
  return {
    backups: {
      store: { kind: 'directory', directory: backups },
      ...(backupPlace === undefined ? {} : { place: backupPlace }),
      keyFile: write('backup.key', key),
      urlFile: write('backup-url', database.backupUrl),
      everyMinutes: 7,
      keepDays: 35,
    },
  };
}

const toPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

const toApprover = (signer: DsseSigner, index: number): { name: string; key: string } => ({
  name: `approver-${index}`,
  key: toPublicKeyText(signer.privateKey),
});

async function writeIdentities(
  { cellId, directory, authority }: TestConfigOptions,
  name: string,
): Promise<Pick<CellConfig, 'identity'> & { server: { certFile: string; keyFile: string } }> {
  const at = (file: string): string => path.join(directory, file);
  const issuer =
    authority === undefined
      ? await createAuthority(at('ca'), { trustDomain: TRUST_DOMAIN })
      : await openAuthority(authority);
  const bundleFile = at('bundle.pem');
  const identity = { certFile: at('id.pem'), keyFile: at('id.key'), bundleFile };
  await issuer.issueIdentity(identity, { spiffeId: `spiffe://${TRUST_DOMAIN}/cell/${cellId}` });
  const server = { certFile: at('public.pem'), keyFile: at('public.key') };
  await issuer.issueIdentity({ ...server, bundleFile }, { dnsNames: [name] });
  return { identity, server };
}
