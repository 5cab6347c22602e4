// SPDX-License-Identifier: Apache-2.0
// A demonstration for drills: a system of its own over a directory and ports of its own, with a little data
// in it, which a drill may harm as it likes.
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Cell, unwrap } from '@bailiwick/sdk';
import { restoreCell } from './commands/restore.ts';
import { type ClientConfig, loadConfig } from './config.ts';
import { openClient } from './connect.ts';
import { type Actors, createActors } from './demo/actors.ts';
import { loadNeighbour, loadRetailer, prepareCollections } from './demo/load.ts';
import { NEIGHBOUR, RETAILER, TENANCIES } from './demo/tenancies.ts';
import { type Operator, openOperator } from './operator.ts';
import {
  awaitAnnouncedKeys,
  awaitDirectory,
  prepareTenancies,
  putCharter,
  registerCells,
  toDemoCharter,
} from './supervisor/bootstrap.ts';
import { toSecretFile } from './supervisor/databases.ts';
import { toIdentityFiles, writeSecret } from './supervisor/identities.ts';
import { createLayout, type Layout } from './supervisor/layout.ts';
import { assertPortsFree } from './supervisor/preflight.ts';
import { type System, startSystem } from './supervisor/system.ts';

const ROOT = path.resolve(import.meta.dirname, '../../..');
const PORT_FIRST = 30_000;
const PORT_STEP = 60;
const PORTS_TRIED_MAX = 200;

export { NEIGHBOUR, RETAILER } from './demo/tenancies.ts';

/** What a drill works on. */
export interface DrillStage {
  readonly layout: Layout;
  readonly system: System;
  readonly operator: Operator;
  readonly actors: Actors;
  readonly config: ClientConfig;
  /** The retailer's and its neighbour's opaque ids. */
  readonly tenants: { readonly retailer: string; readonly neighbour: string };
  /** Directory in which processes write what they send, when they are tapped. */
  readonly taps: string;
  /** Restores a cell into the database that was just made for it, from its backups. */
  restore(residency: string, ownerUrl: string): ReturnType<typeof restoreCell>;
  close(): Promise<void>;
}

async function findFirstPort(state: string): Promise<number> {
  for (let attempt = 0; attempt < PORTS_TRIED_MAX; attempt += 1) {
    const firstPort = PORT_FIRST + PORT_STEP * ((process.pid + attempt) % PORTS_TRIED_MAX);
    try {
      await assertPortsFree(createLayout({ state, firstPort }));
      return firstPort;
    } catch {
      // Somebody else has one of them.
    }
  }
  throw new Error('no free ports were found');
}

/** Starts a system for drills; `close` ends and removes it. */
export async function openDrillStage(options: {
  readonly customersCount: number;
  readonly ordersCount: number;
  readonly onReady?: (what: string) => void;
  /** Loaded into every process, with the directory where it writes. */
  readonly tap?: string;
}): Promise<DrillStage> {
  const state = mkdtempSync(path.join(tmpdir(), 'bailiwick-drill-'));
  chmodSync(state, 0o711); // the databases' own account passes through
  const layout = createLayout({ state, firstPort: await findFirstPort(state) });
  const { onReady, tap } = options;
  const taps = path.join(state, 'taps');
  mkdirSync(taps, { mode: 0o700 });
  const remove = (): void => rmSync(state, { recursive: true, force: true });
  let system: System | undefined;
  try {
    system = await startSystem({
      layout,
      ...(onReady === undefined ? {} : { onReady }),
      ...(tap === undefined
        ? {}
        : { instrument: { flags: ['--import', tap], environment: { BAILIWICK_DRILL_TAP: taps } } }),
    });
    return await fill(system, { ...options, taps, remove });
  } catch (error) {
    await system?.stop();
    remove();
    throw error;
  }
}

async function fill(
  system: System,
  options: {
    readonly customersCount: number;
    readonly ordersCount: number;
    readonly taps: string;
    readonly remove: () => void;
  },
): Promise<DrillStage> {
  const { layout } = system;
  const operator = openOperator({
    identity: toIdentityFiles(layout.operator.directory),
    control: { host: '127.0.0.1', port: layout.control.port, spiffeId: layout.control.spiffeId },
  });
  await registerCells(system, operator);
  const charter = path.join(ROOT, 'charters', 'retailer.yaml');
  await putCharter(system, operator, toDemoCharter(charter));
  const config = loadConfig({ config: await prepareTenancies(system, operator, TENANCIES) });
  await awaitAnnouncedKeys(operator);
  const client = openClient(config);
  await awaitDirectory(client, config.tenant.value).finally(() => client.close());
  const actors = createActors(config);
  await load(actors, layout, options);
  const idOf = (name: string): string => config.tenants.find((one) => one.name === name)?.id ?? '';
  return {
    ...{ layout, system, operator, actors, config },
    tenants: { retailer: idOf(RETAILER), neighbour: idOf(NEIGHBOUR) },
    taps: options.taps,
    restore(residency, ownerUrl) {
      const directory = path.join(layout.state, 'cells', residency);
      const ownerUrlFile = toSecretFile(directory, 'owner-database-url');
      writeSecret(ownerUrlFile, ownerUrl);
      return restoreCell({ configuration: path.join(directory, 'cell.yaml'), ownerUrlFile });
    },
    async close() {
      await actors.close();
      await operator.close();
      await system.stop();
      options.remove();
    },
  };
}

async function load(
  actors: Actors,
  { cells: plans }: Layout,
  counts: { readonly customersCount: number; readonly ordersCount: number },
): Promise<void> {
  const open = async (account: string, tenant: string): Promise<Map<string, Cell>> => {
    const opened = new Map<string, Cell>();
    for (const { residency } of plans) {
      opened.set(residency, await actors.in(residency, account, tenant));
    }
    return opened;
  };
  await prepareCollections((await open('tenant-admin', RETAILER)).values());
  await prepareCollections((await open('tenant-admin', NEIGHBOUR)).values());
  await loadNeighbour(await actors.in('eu-de', 'shop-service', NEIGHBOUR));
  const cells = await open('shop-service', RETAILER);
  const [first] = cells.values();
  if (first === undefined) throw new Error('assertion failed: there is a cell');
  const charter = unwrap(await first.charter());
  await loadRetailer({ ...counts, charter, cells, onProgress: () => undefined });
}
