// SPDX-License-Identifier: Apache-2.0
// The configuration files that the processes of a demonstration start from. They are written anew at each
// start; secrets and state stand beside them and stay.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { toSecretFile } from './databases.ts';
import { toIdentityFiles } from './identities.ts';
import { type CellPlan, type Layout, OPERATOR_NAME } from './layout.ts';
import { toWitnessesConfig } from './witnesses.ts';

/** Keys that the cells pin. */
export interface PinnedKeys {
  /** Base64 of the control plane's signing key. */
  readonly bundleKey: string;
  readonly approvers: readonly { readonly name: string; readonly key: string }[];
}

/** Where a process keeps its things below its directory. */
export const toLogFile = (directory: string, name: string): string =>
  path.join(directory, 'logs', `${name}.log`);

function writeConfig(file: string, what: string, value: unknown): string {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o711 });
  const head = `# ${what}; written by \`bailiwick demo\` at each start\n`;
  writeFileSync(file, head + stringify(value, { aliasDuplicateObjects: false }), { mode: 0o600 });
  return file;
}

function makeDirectory(...parts: string[]): string {
  const directory = path.join(...parts);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}

/** Writes `control.yaml`. */
export function writeControlConfig({ control }: Layout): string {
  const { directory, port } = control;
  return writeConfig(path.join(directory, 'control.yaml'), 'the control plane', {
    listen: { host: '127.0.0.1', port },
    identity: toIdentityFiles(directory),
    database: { urlFile: toSecretFile(directory, 'database-url') },
    signing: { keyFile: toSecretFile(directory, 'bundle-key.pem') },
    telemetry: { directory: makeDirectory(directory, 'logs') },
  });
}

/** Writes `router.yaml`. */
export function writeRouterConfig(layout: Layout, keys: PinnedKeys): string {
  const { directory, port, name } = layout.router;
  const { certFile, keyFile } = toIdentityFiles(directory, 'public');
  return writeConfig(path.join(directory, 'router.yaml'), 'the router', {
    listen: { host: '127.0.0.1', port },
    name,
    certificate: { certFile, keyFile },
    identity: toIdentityFiles(directory),
    control: toControl(layout, keys),
    state: makeDirectory(directory, 'state'),
    telemetry: { directory: makeDirectory(directory, 'logs') },
  });
}

function toControl({ control }: Layout, { bundleKey }: PinnedKeys): object {
  return {
    url: `https://127.0.0.1:${control.port}`,
    spiffeId: control.spiffeId,
    bundleKeys: [bundleKey],
  };
}

/** Name of a cell's client at the demonstration's identity provider. */
export const toClientId = ({ residency }: CellPlan): string => `portal-${residency}`;

/** Writes `identity-provider.yaml`. */
export function writeIdentityProviderConfig({ identityProvider, cells }: Layout): string {
  const { directory, port } = identityProvider;
  const file = path.join(directory, 'identity-provider.yaml');
  return writeConfig(file, 'the identity provider', {
    port,
    keyFile: toSecretFile(directory, 'signing-key.pem'),
    clients: cells.map((plan) => ({
      id: toClientId(plan),
      redirectUri: `${plan.origin}/v1/sign-in-answers`,
    })),
  });
}

/** Writes a cell's `cell.yaml`, which its key service reads too. */
export function writeCellConfig(
  layout: Layout,
  plan: CellPlan,
  { keys, portal }: { readonly keys: PinnedKeys; readonly portal: string },
): string {
  const { directory, ports } = plan;
  const { certFile, keyFile } = toIdentityFiles(directory, 'public');
  return writeConfig(path.join(directory, 'cell.yaml'), `the cell ${plan.cell}`, {
    cell: plan.cell,
    location: {
      jurisdiction: plan.jurisdiction,
      observed: { kind: 'configured', jurisdiction: plan.jurisdiction },
    },
    operator: { jurisdiction: plan.operator, name: OPERATOR_NAME },
    public: { host: '127.0.0.1', port: ports.public, name: plan.name, certFile, keyFile },
    internal: { host: '127.0.0.1', port: ports.internal },
    portal: { directory: portal, origin: plan.origin },
    identity: toIdentityFiles(directory),
    database: {
      urlFile: toSecretFile(directory, 'database-url'),
      keysUrlFile: toSecretFile(directory, 'keys-database-url'),
    },
    keyService: {
      host: '127.0.0.1',
      port: ports.keyService,
      customerKeys: { kind: 'file', directory: makeDirectory(directory, 'keys') },
      custody: { directory: makeDirectory(directory, 'custody') },
      erasableStore: {
        replicas: [
          makeDirectory(directory, 'erasable', 'a'),
          makeDirectory(directory, 'erasable', 'b'),
        ],
      },
      identity: toIdentityFiles(directory, 'key-service'),
    },
    control: toControl(layout, keys),
    trust: { approvers: keys.approvers, threshold: 2 },
    ledger: { keyFile: toSecretFile(directory, 'ledger-key.pem'), epoch: 1 },
    witnesses: toWitnessesConfig(layout, plan),
    backups: {
      store: { kind: 'directory', directory: makeDirectory(directory, 'backups') },
      keyFile: toSecretFile(directory, 'backup-key'),
      urlFile: toSecretFile(directory, 'backup-database-url'),
    },
    exports: { directory: makeDirectory(directory, 'exports') },
    signing: { keyFile: toSecretFile(directory, 'signing-key.pem') },
    state: makeDirectory(directory, 'state'),
    telemetry: { directory: makeDirectory(directory, 'logs') },
  });
}
