// SPDX-License-Identifier: Apache-2.0
// Makes a cell from a blueprint: keys, identities, database, configuration, its place in the directory; then
// starts it once and looks whether it is what was asked for. Whom it trusts is copied from a cell that is there, and
// never asked of the control plane, which could name itself.
import { createPrivateKey, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createCosigner, createLogSigner, toOrigin, toVerifierKeyText } from '@bailiwick/ledger';
import { openAuthority, toTrustDomain } from '@bailiwick/pki';
import {
  BACKUP_ROLE,
  CELL_ROLE,
  type EmbeddedServer,
  KEYS_ROLE,
  prepareCellDatabase,
  startEmbeddedServer,
  toRoleUrl,
} from '@bailiwick/postgres';
import { unwrap } from '@bailiwick/sdk';
import { parse, stringify } from 'yaml';
import { readText } from '../connect.ts';
import { CliError } from '../errors.ts';
import type { Operator } from '../operator.ts';
import { toSecretFile } from '../supervisor/databases.ts';
import {
  prepareSecret,
  prepareSigningKey,
  toIdentityFiles,
  writeSecret,
} from '../supervisor/identities.ts';
import type { Blueprint } from './blueprint.ts';
import { type SelfTest, testCell } from './self-tests.ts';

export interface NewCellOptions {
  readonly blueprint: Blueprint;
  /** Must not be there yet. */
  readonly directory: string;
  /** Directory of the authority that issues identities in this trust domain. */
  readonly authority: string;
  /** `cell.yaml` of a cell whose pinned keys the new one shall have. */
  readonly pinsFrom: string;
  readonly operator: Operator;
}

/** What came of it. */
export interface NewCell {
  readonly cell: string;
  readonly configuration: string;
  /** For those who shall witness this cell. */
  readonly ledgerKey: string;
  /** For those whom it shall witness. */
  readonly witnessKey: string;
  readonly tests: readonly SelfTest[];
}

interface Pins {
  readonly control: Readonly<Record<string, unknown>>;
  readonly trust: unknown;
}

function readPins(file: string): Pins {
  const tree: unknown = parse(readText(file, 'the configuration of a cell'));
  if (typeof tree === 'object' && tree !== null && 'control' in tree && 'trust' in tree) {
    const { control, trust } = tree;
    if (typeof control === 'object' && control !== null) return { control: { ...control }, trust };
  }
  throw new CliError('CLI_INPUT_REFUSED', `\`${file}\` is no configuration of a cell`);
}

/** Makes the cell and tests it; nothing runs afterwards. @throws {CliError} */
export async function createNewCell(options: NewCellOptions): Promise<NewCell> {
  const { blueprint, directory, operator } = options;
  const pins = readPins(options.pinsFrom);
  if (existsSync(directory)) {
    throw new CliError('CLI_INPUT_REFUSED', `\`${directory}\` is there already`, {
      hint: 'a cell is made once, in a directory of its own',
    });
  }
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  for (const name of ['ledger-key.pem', 'witness-key.pem', 'signing-key.pem']) {
    prepareSigningKey(toSecretFile(directory, name));
  }
  prepareSecret(toSecretFile(directory, 'backup-key'), () => randomBytes(32).toString('base64'));
  const spiffeId = await issueIdentities(options);
  const server = await prepareDatabase(blueprint, directory);
  try {
    await register(operator, blueprint, spiffeId);
    const configuration = writeConfiguration(options, pins);
    const tests = await testCell({ blueprint, directory, configuration, operator, spiffeId });
    return { cell: blueprint.cell, configuration, ...toKeys(blueprint, directory), tests };
  } finally {
    await server?.stop();
  }
}

function toKeys(
  { cell }: Blueprint,
  directory: string,
): { readonly ledgerKey: string; readonly witnessKey: string } {
  const read = (name: string): ReturnType<typeof createPrivateKey> =>
    createPrivateKey(readFileSync(toSecretFile(directory, name), 'utf8'));
  const log = createLogSigner({ origin: toOrigin(cell, 1), privateKey: read('ledger-key.pem') });
  const cosigner = createCosigner({
    name: `${cell}/witness`,
    privateKey: read('witness-key.pem'),
  });
  return {
    ledgerKey: toVerifierKeyText(log.verifierKey),
    witnessKey: toVerifierKeyText(cosigner.verifierKey),
  };
}

async function issueIdentities({
  blueprint,
  directory,
  authority,
  operator,
}: NewCellOptions): Promise<string> {
  const opened = await openAuthority(authority);
  const domain = toTrustDomain(operator.spiffeId);
  const spiffeId = `spiffe://${domain}/cell/${blueprint.cell}`;
  await opened.issueIdentity(toIdentityFiles(directory), { spiffeId });
  await opened.issueIdentity(toIdentityFiles(directory, 'key-service'), {
    spiffeId: `spiffe://${domain}/key-service/${blueprint.cell}`,
  });
  // SECURITY: a certificate and key for this one name, no wildcard: a cell cannot pass for another.
  await opened.issueIdentity(toIdentityFiles(directory, 'public'), { dnsNames: [blueprint.name] });
  return spiffeId;
}

async function prepareDatabase(
  { ownerUrlFile, ports }: Blueprint,
  directory: string,
): Promise<EmbeddedServer | undefined> {
  const server =
    ownerUrlFile === undefined
      ? await startEmbeddedServer({
          directory: path.join(directory, 'postgres'),
          port: ports.postgres,
        })
      : undefined;
  try {
    const ownerUrl = server?.url ?? readText(ownerUrlFile ?? '', 'the owner’s URL').trim();
    const passwordOf = (name: string): string => prepareSecret(toSecretFile(directory, name));
    const passwords = {
      cellPassword: passwordOf('cell-password'),
      keysPassword: passwordOf('keys-password'),
      backupPassword: passwordOf('backup-password'),
    };
    await prepareCellDatabase({ ownerUrl, ...passwords });
    const write = (name: string, role: string, password: string): void =>
      writeSecret(toSecretFile(directory, name), toRoleUrl(ownerUrl, { role, password }));
    write('database-url', CELL_ROLE, passwords.cellPassword);
    write('keys-database-url', KEYS_ROLE, passwords.keysPassword);
    write('backup-database-url', BACKUP_ROLE, passwords.backupPassword);
    return server;
  } catch (error) {
    await server?.stop();
    throw error;
  }
}

async function register(
  { control }: Operator,
  { cell, name, host, ports, jurisdiction, operator }: Blueprint,
  spiffeId: string,
): Promise<void> {
  const body = {
    name,
    addresses: [{ host, port: ports.public }],
    spiffeId,
    internal: { host, port: ports.internal },
    location: jurisdiction,
    operator: operator.jurisdiction,
  };
  unwrap(await control.call({ method: 'PUT', path: `/v1/cells/${cell}`, body }));
}

function writeConfiguration(
  { blueprint, directory }: NewCellOptions,
  { control, trust }: Pins,
): string {
  const { cell, jurisdiction, operator, name, host, ports, cosigners } = blueprint;
  const folder = (...parts: string[]): string => {
    const made = path.join(directory, ...parts);
    mkdirSync(made, { recursive: true, mode: 0o700 });
    return made;
  };
  const { certFile, keyFile } = toIdentityFiles(directory, 'public');
  const value = {
    cell,
    location: { jurisdiction, observed: { kind: 'configured', jurisdiction } },
    operator,
    public: { host, port: ports.public, name, certFile, keyFile },
    internal: { host, port: ports.internal },
    identity: toIdentityFiles(directory),
    database: {
      urlFile: toSecretFile(directory, 'database-url'),
      keysUrlFile: toSecretFile(directory, 'keys-database-url'),
    },
    keyService: {
      host,
      port: ports.keyService,
      customerKeys: { kind: 'file', directory: folder('keys') },
      erasableStore: { replicas: [folder('erasable', 'a'), folder('erasable', 'b')] },
      identity: toIdentityFiles(directory, 'key-service'),
    },
    control,
    trust,
    ledger: { keyFile: toSecretFile(directory, 'ledger-key.pem'), epoch: 1 },
    witnesses: {
      keyFile: toSecretFile(directory, 'witness-key.pem'),
      logs: [],
      cosigners: cosigners.map((one) => ({ kind: 'cell', ...one })),
    },
    backups: {
      store: { kind: 'directory', directory: folder('backups') },
      keyFile: toSecretFile(directory, 'backup-key'),
      urlFile: toSecretFile(directory, 'backup-database-url'),
    },
    signing: { keyFile: toSecretFile(directory, 'signing-key.pem') },
    state: folder('state'),
    telemetry: { directory: folder('logs') },
  };
  const file = path.join(directory, 'cell.yaml');
  const head = `# yaml-language-server: $schema=config.schema.json\n# the cell ${cell}; made by \`bailiwick cell new\`\n`;
  writeFileSync(file, head + stringify(value, { aliasDuplicateObjects: false }), { mode: 0o600 });
  return file;
}
