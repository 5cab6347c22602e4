// SPDX-License-Identifier: Apache-2.0
// Starts the order desk: over `DATABASE_URL` where there is one, else over a PostgreSQL of its own that
// ends with it.
import path from 'node:path';
import process from 'node:process';
import { startEmbeddedServer } from '@bailiwick/postgres';
import { createApp } from './app.ts';
import { openCell } from './bailiwick.ts';
import { openOrdersDatabase } from './database.ts';
import { addOrders } from './orders.ts';
import { createSample } from './sample.ts';

const SAMPLE_COUNT = 60;

async function start(): Promise<void> {
  const state = path.resolve(
    process.env['BAILIWICK_STATE'] ?? path.join(import.meta.dirname, '../../../.bailiwick'),
  );
  const clientFile = process.env['BAILIWICK_CONFIG'] ?? path.join(state, 'client.yaml');
  const url = process.env['DATABASE_URL'];
  const server =
    url === undefined
      ? await startEmbeddedServer({ directory: path.join(state, 'orders-app') })
      : undefined;
  const database = await openOrdersDatabase(url ?? server?.url ?? '');
  const { cell, close } = await openCell(clientFile);
  await addOrders({ cell, database }, createSample(SAMPLE_COUNT));
  const app = createApp({ cell, database });
  const address = await app.listen({
    host: '127.0.0.1',
    port: Number(process.env['PORT'] ?? 7500),
  });
  process.stdout.write(`${JSON.stringify({ ready: true, address })}\n`);
  const stop = async (): Promise<void> => {
    await app.close();
    await close();
    await database.destroy();
    await server?.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop());
}

start().catch((error: unknown) => {
  const text = error instanceof Error ? error.message : 'unknown';
  process.stderr.write(`orders-app: error: ${text}\n`);
  process.stderr.write('orders-app: hint: is the demo running? `npm start` in the checkout\n');
  process.exit(1);
});
