// SPDX-License-Identifier: Apache-2.0
// `bailiwick demo`: everything on this machine as separate processes, a retailer's data, and the story.
import path from 'node:path';
import process from 'node:process';
import { type Cell, unwrap } from '@bailiwick/sdk';
import { type ClientConfig, loadConfig, toStateDirectory } from '../config.ts';
import { openClient } from '../connect.ts';
import type { Context } from '../context.ts';
import { createActors } from '../demo/actors.ts';
import { loadNeighbour, loadRetailer, prepareCollections } from '../demo/load.ts';
import { createNarrator } from '../demo/narrator.ts';
import type { Stage } from '../demo/stage.ts';
import { tellStory } from '../demo/story.ts';
import { NEIGHBOUR, RETAILER, TENANCIES } from '../demo/tenancies.ts';
import { CliError } from '../errors.ts';
import { type Operator, openOperator } from '../operator.ts';
import type { Output } from '../output.ts';
import {
  awaitAnnouncedKeys,
  awaitDirectory,
  prepareTenancies,
  putCharter,
  registerCells,
  toDemoCharter,
} from '../supervisor/bootstrap.ts';
import { toIdentityFiles } from '../supervisor/identities.ts';
import { createLayout, type Layout, listPorts } from '../supervisor/layout.ts';
import { type System, startSystem } from '../supervisor/system.ts';
import type { Input } from './run.ts';

const ROOT = path.resolve(import.meta.dirname, '../../../..');

interface Plan {
  readonly layout: Layout;
  readonly charterFile: string;
  readonly customersCount: number;
  readonly ordersCount: number;
  readonly isOnce: boolean;
  readonly isStoryTold: boolean;
}

/** Runs `bailiwick demo`. */
export async function runDemo(context: Context, input: Input): Promise<void> {
  const { output } = context;
  const plan = createPlan(context, input);
  const interrupted = onInterrupt(output);
  const progress = output.progress(
    'starting',
    listPorts(plan.layout).length - plan.layout.cells.length,
  );
  let readyCount = 0;
  const starting = startSystem({
    layout: plan.layout,
    onReady(what) {
      readyCount += 1;
      progress.update(readyCount, what);
    },
  });
  const system = await starting.finally(() => progress.end());
  try {
    await Promise.race([
      useSystem(context, plan, system),
      system.broken.then((error) => {
        throw error;
      }),
      interrupted.then(() => {
        throw new CliError('CLI_INTERRUPTED', 'interrupted');
      }),
    ]);
  } catch (error) {
    // Ctrl-C after the story is how the demonstration is meant to end.
    const isEnd = error instanceof CliError && error.code === 'CLI_INTERRUPTED';
    if (!isEnd) throw error;
    process.exitCode = 130;
  } finally {
    output.note('stopping');
    await system.stop();
  }
}

function createPlan({ globals }: Context, { options }: Input): Plan {
  const toCount = (name: string, first: number, last: number): number => {
    const value = Number(options[name]);
    if (Number.isInteger(value) && value >= first && value <= last) return value;
    throw new CliError('CLI_USAGE_WRONG', `expected \`--${name}\` from ${first} to ${last}`);
  };
  const state = toStateDirectory(globals);
  const charter: unknown = options['charter'];
  return {
    layout: createLayout({ state, firstPort: toCount('port', 1024, 65_000) }),
    charterFile:
      typeof charter === 'string'
        ? path.resolve(charter)
        : path.join(ROOT, 'charters', 'retailer.yaml'),
    customersCount: toCount('customers', 1, 1_000_000),
    ordersCount: toCount('orders', 1, 10_000_000),
    isOnce: options['once'] === true,
    isStoryTold: options['story'] !== false,
  };
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one is not needed and not waited for. */
function onInterrupt(output: Output): Promise<void> {
  return new Promise((resolve) => {
    let count = 0;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        count += 1;
        if (count === 2) output.note('still stopping: each process ends in order');
        resolve();
      });
    }
  });
}

async function useSystem({ output, globals }: Context, plan: Plan, system: System): Promise<void> {
  const { layout } = plan;
  const operator = openOperator({
    identity: toIdentityFiles(layout.operator.directory),
    control: { host: '127.0.0.1', port: layout.control.port, spiffeId: layout.control.spiffeId },
  });
  await registerCells(system, operator);
  const { serial, isNew } = await putCharter(system, operator, toDemoCharter(plan.charterFile));
  output.note(`charter serial ${serial}${isNew ? ' put in force with two approvals' : ''}`);
  const file = await prepareTenancies(system, operator, TENANCIES);
  const config = loadConfig({ ...globals, config: file });
  await awaitAnnouncedKeys(operator);
  const client = openClient(config);
  await awaitDirectory(client, config.tenant.value).finally(() => client.close());
  const actors = createActors(config);
  try {
    const stage = await load({ output, plan, system, operator, config, actors });
    if (plan.isStoryTold) await tellStory(stage);
    const { steps } = stage.narrator;
    const value = { v: 1, state: layout.state, clientConfig: file, steps };
    output.result(value, () => toClosing(plan, stage.tenant));
    if (!plan.isOnce) await new Promise(() => undefined);
  } finally {
    await actors.close();
    await operator.close();
  }
}

interface Work {
  readonly output: Output;
  readonly plan: Plan;
  readonly system: System;
  readonly operator: Operator;
  readonly config: ClientConfig;
  readonly actors: ReturnType<typeof createActors>;
}

async function load(work: Work): Promise<Stage> {
  const { output, plan, system, operator, config, actors } = work;
  const residencies = plan.layout.cells.map(({ residency }) => residency);
  const open = async (tenant: string, account: string): Promise<Map<string, Cell>> =>
    new Map(
      await Promise.all(
        residencies.map(
          async (residency) => [residency, await actors.in(residency, account, tenant)] as const,
        ),
      ),
    );
  await prepareCollections((await open(RETAILER, 'tenant-admin')).values());
  await prepareCollections((await open(NEIGHBOUR, 'tenant-admin')).values());
  await loadNeighbour(await actors.in('eu-de', 'shop-service', NEIGHBOUR));
  const cells = await open(RETAILER, 'shop-service');
  const [first] = cells.values();
  if (first === undefined) throw new Error('assertion failed: there is a cell');
  const charter = unwrap(await first.charter());
  const progress = output.progress('loading');
  const startedAt = performance.now();
  const loaded = await loadRetailer({
    customersCount: plan.customersCount,
    ordersCount: plan.ordersCount,
    charter,
    cells,
    onProgress: (done, total) => progress.update(done, `of ${total.toLocaleString('en')} records`),
  }).finally(() => progress.end());
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  output.note(
    `${(loaded.customers.lineCount + loaded.orders.lineCount).toLocaleString('en')} records in ${seconds} s`,
  );
  const tenant = config.tenants.find(({ name }) => name === RETAILER)?.id ?? '';
  return { narrator: createNarrator(output), actors, operator, system, loaded, tenant };
}

function toClosing({ layout, isOnce }: Plan, tenant: string): string {
  const lines = [
    '',
    `router   https://${layout.router.name}:${layout.router.port} (127.0.0.1)`,
    ...layout.cells.map(
      ({ residency, name, ports }) =>
        `${residency.padEnd(8)} https://${name}:${ports.public} (127.0.0.1)`,
    ),
    `control  127.0.0.1:${layout.control.port} (mTLS)`,
    '',
  ];
  if (isOnce) return lines.join('\n');
  const [first] = layout.cells;
  return [
    ...lines,
    'The portal, in a browser on this machine (each cell has its own; it asks who you are, no password):',
    `  ${first?.origin ?? ''}/portal/?tenant=${tenant}`,
    `  Its certificate is signed by ${path.join(layout.authority, 'authority.pem')}:`,
    '  trust that for a while, or tell the browser to go on.',
    '',
    'Try, in another terminal of this checkout:',
    '  npx bailiwick status',
    '  npx bailiwick ingest <orders.csv>',
    '  npx bailiwick record search uk-lon customers',
    '  npx bailiwick key disable eu-de --account security-officer',
    '  npx bailiwick ledger tail eu-de --account privacy-officer',
    '  npm start --workspace examples/orders-app',
    '',
    'Ctrl-C stops everything.',
  ].join('\n');
}
