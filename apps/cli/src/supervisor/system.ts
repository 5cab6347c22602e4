// SPDX-License-Identifier: Apache-2.0
// The whole demonstration as real processes: started in parallel, ended in order and by id. A process
// that ends by itself ends the demonstration, with the path of its log; nothing is restarted, because a
// demonstration that hides a crash demonstrates nothing. Only who wants to see crashes survived (the crash
// runs) has what ended started again, as a service manager would.
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { type Authority, renewWhenDue } from '@bailiwick/pki';
import type { EmbeddedServer } from '@bailiwick/postgres';
import { CliError } from '../errors.ts';
import { type Child, type Instrument, startChild } from './child.ts';
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

/** A process of the demonstration as it runs now. */
export interface SystemProcess {
  /** `cell eu-de`, `key-service eu-de`, `database eu-de`, `control`, `database control`, `router`. */
  readonly name: string;
  readonly pid: number;
}

/** The running demonstration. */
export interface System {
  readonly layout: Layout;
  readonly keys: PinnedKeys;
  /** Resolves with the reason when a process ended that should not have. */
  readonly broken: Promise<CliError>;
  /** Who runs at this moment; who is being started again is not there. */
  processes(): readonly SystemProcess[];
  stopControl(): Promise<void>;
  startControl(): Promise<void>;
  /** Ends a cell, its key service and its database at once, as a machine that burns does. */
  loseCell(residency: string): Promise<void>;
  /** Starts a cell again; `beforeServing` runs when its database is there and nothing else is. */
  startCell(residency: string, beforeServing?: (ownerUrl: string) => Promise<void>): Promise<void>;
  /** Ends everything. Safe to call twice. */
  stop(): Promise<void>;
}

export interface SystemOptions {
  readonly layout: Layout;
  /** Told which part is ready, for a progress bar. */
  readonly onReady?: (what: string) => void;
  /** Starts again what ends by itself. */
  readonly isKeptAlive?: boolean;
  /** For drills: loaded into every process. */
  readonly instrument?: Instrument;
}

/** How often a process that ended is started in vain before the whole is given up, and how far apart. */
const RESTARTS_COUNT_MAX = 40;
const RESTART_PAUSE_MS = 250;

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
  readonly #isKeptAlive: boolean;
  readonly #instrument: Instrument | undefined;
  readonly #servers = new Map<string, EmbeddedServer>();
  readonly #children = new Map<string, Child>();
  /** Restarts under way. */
  readonly #restarts = new Set<Promise<void>>();
  #renewal: { stop(): void } | undefined;
  #tell: (error: CliError) => void = () => undefined;
  #stopping: Promise<void> | undefined;

  constructor(options: SystemOptions, release: () => void, keys: PinnedKeys) {
    this.layout = options.layout;
    this.keys = keys;
    this.#onReady = options.onReady ?? (() => undefined);
    this.#release = release;
    this.#isKeptAlive = options.isKeptAlive === true;
    this.#instrument = options.instrument;
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
    await this.#startServer('control', () => startControlDatabase(this.layout));
    await this.startControl();
    const { directory } = this.layout.router;
    await this.#startChild('router', directory, 'apps/router/src/main.ts');
  }

  async #startIdentityProvider(): Promise<void> {
    const { directory } = this.layout.identityProvider;
    const entry = 'apps/cli/src/identity-provider/main.ts';
    await this.#startChild('identity-provider', directory, entry);
  }

  async #startCell(
    plan: CellPlan,
    beforeServing?: (ownerUrl: string) => Promise<void>,
  ): Promise<void> {
    await this.#startServer(plan.residency, () => startCellDatabase(plan));
    await beforeServing?.(this.#servers.get(plan.residency)?.url ?? '');
    await this.#startChild('key-service', plan.directory, 'apps/cell/src/key-service/main.ts');
    await this.#startChild('cell', plan.directory, 'apps/cell/src/main.ts');
  }

  async loseCell(residency: string): Promise<void> {
    for (const kind of ['cell', 'key-service']) {
      const child = this.#children.get(`${kind} ${residency}`);
      this.#children.delete(`${kind} ${residency}`);
      await child?.kill();
    }
    const server = this.#servers.get(residency);
    this.#servers.delete(residency);
    await server?.stop();
  }

  async startCell(
    residency: string,
    beforeServing?: (ownerUrl: string) => Promise<void>,
  ): Promise<void> {
    const plan = this.layout.cells.find((one) => one.residency === residency);
    if (plan === undefined) throw new Error('assertion failed: there is such a cell');
    await this.#startCell(plan, beforeServing);
  }

  async startControl(): Promise<void> {
    await this.#startChild('control', this.layout.control.directory, 'apps/control/src/main.ts');
  }

  async stopControl(): Promise<void> {
    const control = this.#children.get('control');
    this.#children.delete('control');
    await control?.stop();
  }

  processes(): readonly SystemProcess[] {
    return [
      ...[...this.#servers].map(([of, { pid }]) => ({ name: `database ${of}`, pid })),
      ...[...this.#children].map(([name, { pid }]) => ({ name, pid })),
    ];
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
      instrument: this.#instrument,
    });
    this.#children.set(name, child);
    this.#onReady(name);
    void child.ended.then(() => {
      // Taken out of the table before it is stopped on purpose: then nobody is told.
      if (this.#children.get(name) !== child || this.#stopping !== undefined) return;
      this.#children.delete(name);
      const hint = `its log is \`${child.plan.logFile}\``;
      this.#onEnded(name, hint, () => this.#startChild(kind, directory, entry));
    });
  }

  async #startServer(of: string, start: () => Promise<EmbeddedServer>): Promise<void> {
    const server = await start();
    this.#servers.set(of, server);
    this.#onReady(`database ${of}`);
    void server.ended.then(() => {
      if (this.#servers.get(of) !== server || this.#stopping !== undefined) return;
      this.#servers.delete(of);
      this.#onEnded(`the database of ${of}`, undefined, () => this.#startServer(of, start));
    });
  }

  #onEnded(name: string, hint: string | undefined, start: () => Promise<void>): void {
    const ended = (problem: string): void => {
      const more = hint === undefined ? {} : { hint };
      this.#tell(new CliError('CLI_CHILD_ENDED', `${name} ${problem}`, more));
    };
    if (!this.#isKeptAlive) {
      ended('has ended by itself');
      return;
    }
    const restart = this.#restart(start)
      .catch(() => ended('did not start again'))
      .finally(() => this.#restarts.delete(restart));
    this.#restarts.add(restart);
  }

  /** What it rests on may be down too: it is tried for a while. */
  async #restart(start: () => Promise<void>): Promise<void> {
    for (let attempt = 1; this.#stopping === undefined; attempt += 1) {
      try {
        await start();
        return;
      } catch (error) {
        if (attempt === RESTARTS_COUNT_MAX) throw error;
      }
      await wait(RESTART_PAUSE_MS);
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Who serves first, then what they rest on. */
  async #stopAll(): Promise<void> {
    this.#renewal?.stop();
    await Promise.all(this.#restarts);
    const children = [...this.#children];
    const isKeyService = (name: string): boolean => name.startsWith('key-service');
    const stopSome = (isWanted: (name: string) => boolean): Promise<unknown> =>
      Promise.all(children.filter(([name]) => isWanted(name)).map(([, child]) => child.stop()));
    await stopSome((name) => !isKeyService(name));
    await stopSome(isKeyService);
    await Promise.all([...this.#servers.values()].map((server) => server.stop()));
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
