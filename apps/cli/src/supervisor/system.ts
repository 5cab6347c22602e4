// SPDX-License-Identifier: Apache-2.0
// The whole demonstration as real processes: started in parallel, ended in order and by id. A process
// that ends by itself ends the demonstration, with the path of its log; nothing is restarted, because a
// demonstration that hides a crash demonstrates nothing.
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { type Authority, renewWhenDue } from '@bailiwick/pki';
import type { EmbeddedServer } from '@bailiwick/postgres';
import { CliError } from '../errors.ts';
import { type Child, startChild } from './child.ts';
import {
  type PinnedKeys,
  toLogFile,
  writeCellConfig,
  writeControlConfig,
  writeIdentityProviderConfig,
  writeRouterConfig,
} from './config-files.ts';
import { startCellDatabase, startControlDatabase, toSecretFile } from './databases.ts';
import {
  listIdentities,
  prepareIdentities,
  prepareIssuerKey,
  prepareSecret,
  prepareSigningKey,
  toPublicKeyText,
} from './identities.ts';
import type { CellPlan, Layout } from './layout.ts';
import { ensurePortal } from './portal.ts';
import { assertPortsFree, assertRoom, claimState, toFileError } from './preflight.ts';
import { writeLedgerPolicy } from './witnesses.ts';

/** Two people who must agree before a border opens. */
export const APPROVERS = ['privacy-officer', 'security-officer'] as const;

/** The running demonstration. */
export interface System {
  readonly layout: Layout;
  readonly keys: PinnedKeys;
  /** Resolves with the reason when a process ended that should not have. */
  readonly broken: Promise<CliError>;
  stopControl(): Promise<void>;
  startControl(): Promise<void>;
  /** Ends everything. Safe to call twice. */
  stop(): Promise<void>;
}

export interface SystemOptions {
  readonly layout: Layout;
  /** Told which part is ready, for a progress bar. */
  readonly onReady?: (what: string) => void;
}

/** File of an approver's key in the demonstration. In real life it would be on that person's machine. */
export function toApproverFile(layout: Layout, name: string): string {
  return `${layout.approvers}/${name}.pem`;
}

function readPublicKey(file: string): string {
  return toPublicKeyText(createPublicKey(readFileSync(file, 'utf8')));
}

/** Makes what must exist before a process starts: keys that nobody may create silently later. */
function prepareKeys(layout: Layout): PinnedKeys {
  prepareIssuerKey(toSecretFile(layout.identityProvider.directory, 'signing-key.pem'));
  const bundleFile = prepareSigningKey(toSecretFile(layout.control.directory, 'bundle-key.pem'));
  for (const { directory } of layout.cells) {
    prepareSigningKey(toSecretFile(directory, 'ledger-key.pem'));
    prepareSigningKey(toSecretFile(directory, 'witness-key.pem'));
    prepareSigningKey(toSecretFile(directory, 'signing-key.pem'));
    prepareSecret(toSecretFile(directory, 'backup-key'), () => randomBytes(32).toString('base64'));
  }
  return {
    bundleKey: readPublicKey(bundleFile),
    approvers: APPROVERS.map((name) => ({
      name,
      key: readPublicKey(prepareSigningKey(toApproverFile(layout, name))),
    })),
  };
}

class DemoSystem implements System {
  readonly layout: Layout;
  readonly keys: PinnedKeys;
  readonly broken: Promise<CliError>;
  readonly #onReady: (what: string) => void;
  readonly #release: () => void;
  readonly #servers: EmbeddedServer[] = [];
  readonly #children = new Map<string, Child>();
  #renewal: { stop(): void } | undefined;
  #tell: (error: CliError) => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: SystemOptions, release: () => void, keys: PinnedKeys) {
    this.layout = options.layout;
    this.keys = keys;
    this.#onReady = options.onReady ?? (() => undefined);
    this.#release = release;
    this.broken = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  async start(authority: Authority): Promise<void> {
    const { layout } = this;
    this.#renewal = renewWhenDue(authority, listIdentities(layout));
    writeControlConfig(layout);
    writeRouterConfig(layout, this.keys);
    writeLedgerPolicy(layout);
    writeIdentityProviderConfig(layout);
    const portal = await ensurePortal();
    for (const plan of layout.cells) writeCellConfig(layout, plan, { keys: this.keys, portal });
    await settle([
      this.#startMiddle(),
      this.#startIdentityProvider(),
      ...layout.cells.map((plan) => this.#startCell(plan)),
    ]);
  }

  async #startMiddle(): Promise<void> {
    this.#watchServer(await startControlDatabase(this.layout), 'the control plane’s database');
    await this.startControl();
    const { directory } = this.layout.router;
    await this.#startChild('router', directory, 'apps/router/src/main.ts');
  }

  async #startIdentityProvider(): Promise<void> {
    const { directory } = this.layout.identityProvider;
    const entry = 'apps/cli/src/identity-provider/main.ts';
    await this.#startChild('identity-provider', directory, entry);
  }

  async #startCell(plan: CellPlan): Promise<void> {
    this.#watchServer(await startCellDatabase(plan), `the database of ${plan.residency}`);
    await this.#startChild('key-service', plan.directory, 'apps/cell/src/key-service/main.ts');
    await this.#startChild('cell', plan.directory, 'apps/cell/src/main.ts');
  }

  async startControl(): Promise<void> {
    await this.#startChild('control', this.layout.control.directory, 'apps/control/src/main.ts');
  }

  async stopControl(): Promise<void> {
    const control = this.#children.get('control');
    this.#children.delete('control');
    await control?.stop();
  }

  async #startChild(kind: string, directory: string, entry: string): Promise<void> {
    if (this.#stopping !== undefined) throw new CliError('CLI_INTERRUPTED', 'interrupted');
    const place = directory.split('/').at(-1) ?? '';
    const name = kind === place ? kind : `${kind} ${place}`;
    const configName = kind === 'key-service' ? 'cell' : kind;
    const child = await startChild({
      name,
      entry,
      configFile: `${directory}/${configName}.yaml`,
      logFile: toLogFile(directory, kind),
    });
    const key = kind === place ? kind : name;
    this.#children.set(key, child);
    this.#onReady(name);
    void child.ended.then(() => {
      // Taken out of the table before it is stopped on purpose: then nobody is told.
      if (this.#children.get(key) !== child || this.#stopping !== undefined) return;
      this.#tell(
        new CliError('CLI_CHILD_ENDED', `${name} has ended by itself`, {
          hint: `its log is \`${child.plan.logFile}\``,
        }),
      );
    });
  }

  #watchServer(server: EmbeddedServer, name: string): void {
    this.#servers.push(server);
    this.#onReady(name);
    void server.ended.then(() => {
      if (this.#stopping !== undefined) return;
      this.#tell(new CliError('CLI_CHILD_ENDED', `${name} has ended by itself`));
    });
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Who serves first, then what they rest on. */
  async #stopAll(): Promise<void> {
    this.#renewal?.stop();
    const children = [...this.#children];
    const isKeyService = (name: string): boolean => name.startsWith('key-service');
    const stopSome = (isWanted: (name: string) => boolean): Promise<unknown> =>
      Promise.all(children.filter(([name]) => isWanted(name)).map(([, child]) => child.stop()));
    await stopSome((name) => !isKeyService(name));
    await stopSome(isKeyService);
    await Promise.all(this.#servers.map((server) => server.stop()));
    this.#release();
  }
}

/** The account that PostgreSQL runs under may pass through to its own directory; it can list nothing. */
function makeDirectories({ control, router, identityProvider, cells }: Layout): void {
  for (const { directory } of [control, router, identityProvider, ...cells]) {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
  }
}

/** Waits for all, so that nothing is still starting when a failure ends everything; throws the first. */
async function settle(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

/**
 * Starts the demonstration over a state directory, which is made when absent.
 *
 * @throws {CliError} in one line what is missing: a port, room, permission, or the process that failed
 */
export async function startSystem(options: SystemOptions): Promise<System> {
  const { layout } = options;
  const release = claimState(layout.state);
  let system: DemoSystem | undefined;
  try {
    assertRoom(layout.state);
    await assertPortsFree(layout);
    makeDirectories(layout);
    const authority = await prepareIdentities(layout);
    system = new DemoSystem(options, release, prepareKeys(layout));
    await system.start(authority);
    return system;
  } catch (error) {
    await system?.stop();
    release();
    throw toFileError(error, `\`${layout.state}\``);
  }
}
