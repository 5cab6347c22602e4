// SPDX-License-Identifier: Apache-2.0
// Goal: what the routes give is enough for a stranger to check, and no tenant gets another's entries.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import type { EntryAnswer, EntryPage, InclusionProofsAnswer } from '@bailiwick/contracts';
import type { Clock, Random, TenantId } from '@bailiwick/kernel';
import { parseCellId, parseTenantId, toCanonicalJson } from '@bailiwick/kernel';
import {
  commitEntry,
  listTiles,
  parseVerifierKey,
  toLeafHash,
  toManifestText,
  toTilePath,
  verifyCheckpoint,
  verifyExport,
  verifyInclusion,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toProblem } from '../problem.ts';
import type { CellServices, Credential } from '../services.ts';
import { type CellLedger, createCellLedger } from './cell-ledger.ts';
import { registerLedgerRoutes } from './routes.ts';

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const A_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const B_TENANT = parseTenantId('0198c0de-0000-7000-8000-00000000000b');

describe('ledger routes', () => {
  let test: TestDatabase;
  let database: Database;
  let ledger: CellLedger;
  let app: FastifyInstance;
  const ids: string[] = [];

  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(8);
    ledger = createCellLedger({
      cellId: parseCellId('eu-de/main'),
      epoch: 1,
      privateKey: generateKeyPairSync('ed25519').privateKey,
      database,
      clock,
      random,
      log: openLog({ component: 'test' }),
    });
    ledger.start();
    app = Fastify();
    // Stands for the verified token of the real server: the header names the tenant.
    app.decorateRequest('credential', {
      getter(this: FastifyRequest): Credential {
        const tenantId = this.headers['x-tenant'] === 'b' ? B_TENANT : A_TENANT;
        return { tenantId } as Credential;
      },
    });
    app.setErrorHandler(async (error, _request, reply) => {
      const problem = toProblem(error);
      return reply.code(problem.status).serializer(JSON.stringify).send(problem);
    });
    registerLedgerRoutes(app, { database } as CellServices, ledger);
    const record = async (tenant: TenantId, count: number): Promise<void> => {
      const receipts = await Promise.all(
        Array.from({ length: count }, () => ledger.entries.record(tenant, { kind: 'decision' })),
      );
      ids.push(...receipts.map(({ entryId }) => entryId));
    };
    await record(A_TENANT, 400);
    await record(B_TENANT, 30);
    await ledger.entries.awaitCheckpoint(ids.at(-1) as never, { timeoutMs: 10_000 });
  });
  afterAll(async () => {
    await app.close();
    await ledger.stop();
    await test.close();
  });

  const get = (url: string, tenant = 'a') => app.inject({ url, headers: { 'x-tenant': tenant } });

  it('opens an entry for its tenant, with everything that a stranger needs to check it', async () => {
    const id = ids[17] ?? '';
    const answer = (await get(`/v1/entries/${id}`)).json<EntryAnswer>();
    const { body = {}, canonicalBody = '', salt = '', proof } = answer;
    expect(body).toMatchObject({ id, tenant: A_TENANT, kind: 'decision', cell: 'eu-de/main' });
    expect(toCanonicalJson(body as never)).toBe(canonicalBody);
    if (proof === undefined) throw new Error('no proof');
    const log = parseVerifierKey((await get('/v1/ledger/key')).body.trim());
    expect(log.name).toBe('eu-de/main/ledger/1');
    const { root, size } = verifyCheckpoint(proof.checkpoint, { log });
    const leafHash = toLeafHash(commitEntry(Buffer.from(salt, 'base64url'), canonicalBody));
    expect(answer.leafHash).toBe(leafHash.toString('hex'));
    const hashes = proof.hashes.map((hash) => Buffer.from(hash, 'base64'));
    verifyInclusion({ leafHash, index: proof.index, size, hashes }, root);
  });

  it('knows nothing of an entry of another tenant, or of none', async () => {
    for (const url of [
      `/v1/entries/${ids[17]}`,
      '/v1/entries/0198c0de-0000-7000-8000-0000000000ff',
    ]) {
      const response = await get(url, 'b');
      expect(response.statusCode).toBe(404);
      expect(response.json()).toMatchObject({ code: 'LEDGER_ENTRY_UNKNOWN' });
    }
  });

  it('keeps the proof of an entry whose body is gone', async () => {
    const id = ids[3] ?? '';
    const before = (await get(`/v1/entries/${id}`)).json<EntryAnswer>();
    await test.asOwner('UPDATE ledger.entries SET body = NULL, salt = NULL WHERE entry_id = $1', [
      id,
    ]);
    const after = (await get(`/v1/entries/${id}`)).json<EntryAnswer>();
    expect(after.body).toBeUndefined();
    expect(after.leafHash).toBe(before.leafHash);
    expect(after.proof?.index).toBe(before.proof?.index);
  });

  it('proves many entries at once and says which are not the tenant’s', async () => {
    const asked = [ids[0], ids[410], ids[399]];
    const response = await app.inject({
      method: 'POST',
      url: '/v1/ledger/inclusion-proofs',
      headers: { 'x-tenant': 'a' },
      payload: { entries: asked },
    });
    const { items } = response.json<InclusionProofsAnswer>();
    expect(items.map(({ entry }) => entry)).toEqual(asked);
    expect(items[0]).toHaveProperty('proof.index');
    expect(items[1]).toMatchObject({ problem: { code: 'LEDGER_ENTRY_UNKNOWN' } });
    expect(items[2]).toHaveProperty('proof.hashes');
  });

  it('pages through the newest entries', async () => {
    const seen: string[] = [];
    let url = '/v1/entries?pageSize=16';
    for (;;) {
      const page = (await get(url, 'b')).json<EntryPage>();
      seen.push(...page.items.map(({ entry }) => entry));
      if (page.nextPageToken === undefined) break;
      url = `/v1/entries?pageSize=16&pageToken=${page.nextPageToken}`;
    }
    expect(new Set(seen)).toEqual(new Set(ids.slice(400)));
    expect(seen.length).toBe(30);
  });

  it('serves an export, and its own bodies to each tenant only', async () => {
    const log = parseVerifierKey((await get('/v1/ledger/key')).body.trim());
    const checkpoint = (await get('/v1/ledger/checkpoint')).body;
    const { origin, size } = verifyCheckpoint(checkpoint, { log });
    const bodies = (await get(`/v1/ledger/bodies?size=${size}`, 'b')).body;
    expect(bodies).not.toContain(A_TENANT);
    const count = bodies.split('\n').length - 1;
    const files = new Map<string, Uint8Array>();
    for (const address of listTiles(size)) {
      const response = await get(`/v1/ledger/${toTilePath(address)}`);
      expect(response.headers['cache-control']).toContain('immutable');
      files.set(toTilePath(address), response.rawPayload);
    }
    const manifest = toManifestText({ origin, size, tenant: B_TENANT, bodies: count });
    for (const [path, text] of Object.entries({
      checkpoint,
      'bodies.jsonl': bodies,
      'manifest.json': manifest,
    })) {
      files.set(path, Buffer.from(text));
    }
    const reader = {
      read: async (path: string) => files.get(path),
      list: async () => [...files.keys()],
    };
    const report = await verifyExport(reader, { originKey: log });
    expect([report.bodiesCount, report.size]).toEqual([30, size]);
  });

  it.each([
    ['tile/0/000.p/300', 400, 'LEDGER_TILE_INVALID'],
    ['tile/0/00', 400, 'LEDGER_TILE_INVALID'],
    ['tile/0/../../entries', 404, ''],
    ['tile/64/000', 400, 'LEDGER_TILE_INVALID'],
    ['tile/0/999', 404, 'LEDGER_TILE_MISSING'],
    ['tile/5/000.p/1', 404, 'LEDGER_TILE_MISSING'],
  ])('refuses %s', async (path, status, code) => {
    const response = await get(`/v1/ledger/${path}`);
    expect(response.statusCode).toBe(status);
    if (code !== '') expect(response.json()).toMatchObject({ code });
  });
});
