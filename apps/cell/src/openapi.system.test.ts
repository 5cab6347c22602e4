// SPDX-License-Identifier: Apache-2.0
// Goal: what is documented is what is served. Method: a whole cell's routes against its own document, and
// the document against the committed one.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { generate } from './generated.ts';
import { startTestCell, type TestCell } from './testing/test-cell.ts';

const FILE = path.resolve(import.meta.dirname, '../../../schemas/openapi.json');
const ROUTES_COUNT_MIN = 30;

let test: TestCell;
let portal: string;
beforeAll(async () => {
  // Sign-in is there where people have something to sign in to.
  portal = mkdtempSync(path.join(tmpdir(), 'bailiwick-portal-'));
  writeFileSync(path.join(portal, 'index.html'), '<!doctype html><title>portal</title>');
  test = await startTestCell({ portal });
});
afterAll(async () => {
  await test?.stop();
  rmSync(portal, { recursive: true, force: true });
});

it('is served as it is committed', async () => {
  const served = await test.call({ path: '/openapi.json' });
  expect(served.status).toBe(200);
  const committed = JSON.parse(readFileSync(FILE, 'utf8'));
  expect(served.body).toEqual(committed);
  expect(JSON.parse((await generate())['schemas/openapi.json'] ?? '')).toEqual(committed);
});

it('describes every route with a summary, and asks for credentials on all but the open ones', async () => {
  const { body } = await test.call({ path: '/openapi.json' });
  const routes = Object.entries<Record<string, { summary?: string; security?: unknown[] }>>(
    body.paths,
  ).flatMap(([url, methods]) =>
    Object.entries(methods).map(([method, route]) => ({ url, method, ...route })),
  );
  expect(routes.length).toBeGreaterThanOrEqual(ROUTES_COUNT_MIN);
  expect(routes.filter(({ summary }) => summary === undefined)).toEqual([]);
  const open = routes.filter(({ security }) => security?.length === 0).map(({ url }) => url);
  expect([...new Set(open)].sort()).toEqual([
    '/v1/health',
    '/v1/ledger/checkpoint',
    '/v1/ledger/cosigned-checkpoint',
    '/v1/ledger/key',
    '/v1/ledger/tile/{*}',
    '/v1/sign-in-answers',
    '/v1/sign-ins',
    '/v1/tokens',
    '/v1/witness/key',
    '/v1/witness/{originHash}/checkpoint',
  ]);
});

it('serves no route of a tenant without credentials', async () => {
  const { body } = await test.call({ path: '/openapi.json' });
  let count = 0;
  for (const [url, methods] of Object.entries<Record<string, { security?: unknown[] }>>(
    body.paths,
  )) {
    for (const [method, route] of Object.entries(methods)) {
      if (route.security?.length === 0) continue;
      count += 1;
      const answer = await test.call({
        method: method.toUpperCase() as 'GET',
        path: url.replaceAll(/\{\w+\}/g, '01890a5d-ac96-774b-bcce-b302099a8057'),
      });
      expect(`${method} ${url} ${answer.status}`).toBe(`${method} ${url} 401`);
    }
  }
  expect(count).toBeGreaterThanOrEqual(ROUTES_COUNT_MIN - 5);
});
