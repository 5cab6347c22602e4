// SPDX-License-Identifier: Apache-2.0
// Goal: the example does what its README says, and its database holds nothing readable about a person.
// Method: a real demonstration, a real PostgreSQL, the application over HTTP.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type EmbeddedServer, startEmbeddedServer } from '@bailiwick/postgres';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { type Kysely, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { type OpenCell, openCell } from './bailiwick.ts';
import { openOrdersDatabase, type Tables } from './database.ts';
import { addOrders } from './orders.ts';
import { createSample } from './sample.ts';

const state = mkdtempSync(path.join(tmpdir(), 'bailiwick-orders-'));
// The databases' own account passes through.
chmodSync(state, 0o711);
const MAIN = path.resolve(import.meta.dirname, '../../../apps/cli/src/main.ts');
let demo: ChildProcess | undefined;
let server: EmbeddedServer;
let database: Kysely<Tables>;
let open: OpenCell;
let app: FastifyInstance;

/** Starts a small demonstration; another block of ports is tried where one is taken. */
async function startDemo(): Promise<ChildProcess> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const port = String(35_000 + Math.floor(Math.random() * 200) * 60);
    const child = spawn(
      process.execPath,
      [
        MAIN,
        ...['demo', '--no-story', '--customers', '30', '--orders', '30'],
        ...['--state', state, '--port', port],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const isReady = await new Promise<boolean>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (chunk.toString().includes('Ctrl-C stops everything')) resolve(true);
      });
      child.once('close', () => resolve(false));
    });
    if (isReady) return child;
  }
  throw new Error('the demo did not start');
}

beforeAll(async () => {
  [demo, server] = await Promise.all([
    startDemo(),
    startEmbeddedServer({ directory: path.join(state, 'orders-app') }),
  ]);
  database = await openOrdersDatabase(server.url);
  open = await openCell(path.join(state, 'client.yaml'));
  await addOrders({ cell: open.cell, database }, createSample(60));
  app = createApp({ cell: open.cell, database });
});

afterAll(async () => {
  await app?.close();
  await open?.close();
  await database?.destroy();
  await server?.stop();
  const ended = new Promise((resolve) => demo?.once('close', resolve));
  if (demo?.kill('SIGTERM') === true) await ended;
  rmSync(state, { recursive: true, force: true });
});

describe('the order desk', () => {
  it('lists fifty rows, opened', async () => {
    const { items } = (await app.inject({ url: '/orders' })).json();
    expect(items).toHaveLength(50);
    expect(items[0]).toMatchObject({ number: 'A-00060', email: 'bjorg.odegard@brev.example' });
  });

  it('finds a person by exact address, however it is written, and nobody by half of one', async () => {
    const find = async (email: string): Promise<LightMyRequestResponse> =>
      app.inject({ method: 'POST', url: '/order-searches', payload: { email } });
    expect((await find('Kaethe.Weiss@Post.example')).json().items).toHaveLength(12);
    expect((await find('weiss@post.example')).json().items).toHaveLength(0);
    expect((await find('kaethe.weiss')).statusCode).toBe(400);
  });

  it('is refused an export, with rule, source and what would be allowed', async () => {
    const payload = { to: 'us-va/main', purpose: 'analytics' };
    const answer = await app.inject({ method: 'POST', url: '/exports', payload });
    expect(answer.statusCode).toBe(403);
    expect(answer.json()).toMatchObject({ isAllowed: false });
    expect(JSON.stringify(answer.json().reasons)).toContain('GDPR Art. 44');
    expect(answer.json().nearest.join()).toContain('aggregated');
  });

  it('keeps nothing readable about a person in its database', async () => {
    const { rows } = await sql<{ row: string }>`SELECT orders::text AS row FROM orders`.execute(
      database,
    );
    expect(rows).toHaveLength(60);
    const all = rows.map(({ row }) => row).join('\n');
    for (const { name, email } of createSample(5)) {
      for (const value of [name, email]) {
        expect(all).not.toContain(value);
        expect(all).not.toContain(Buffer.from(value).toString('base64url').slice(0, -2));
      }
    }
  });

  it('cannot open a value that was moved to another row’s place', async () => {
    const [first, second] = await database
      .selectFrom('orders')
      .select(['contact', 'purchase'])
      .limit(2)
      .execute();
    const flipped = `${first?.contact.slice(0, -6)}AAAAAA`;
    const answer = await open.cell.open([
      { sealed: flipped },
      { sealed: `${first?.contact.slice(0, 300)}${second?.contact.slice(300)}` },
    ]);
    expect(answer.ok).toBe(true);
    for (const item of answer.ok ? answer.value.items : []) expect(item).toHaveProperty('problem');
  });
});
