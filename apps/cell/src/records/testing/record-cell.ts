// SPDX-License-Identifier: Apache-2.0
// A cell's record store for tests and benchmarks: real database, keys, ledger, charter, enforcement and
// server; only the sign-in is a table of accounts, because who verifies tokens is tested elsewhere.
import { createHmac, createSecretKey, generateKeyPairSync, hash, randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { compileCharter, findCell, parseCharter } from '@bailiwick/charter';
import {
  type CellId,
  createUuidV7,
  parseCellId,
  parseTenantId,
  type TenantId,
  toResidency,
} from '@bailiwick/kernel';
import { createEngine, type Engine } from '@bailiwick/policy';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { createMeterInPlace, openLog } from '@bailiwick/telemetry';
import type { FastifyInstance } from 'fastify';
import { createAdmission } from '../../backpressure.ts';
import { toCellSecrets } from '../../cell-secrets.ts';
import { createChangeFeed } from '../../changes/change-feed.ts';
import { registerCollectionRoutes } from '../../collections/routes.ts';
import { createEnforcement } from '../../enforcement/enforcement.ts';
import type { ErasureServices } from '../../erasures/erasure-services.ts';
import { registerErasureRoutes } from '../../erasures/routes.ts';
import { CellError } from '../../errors.ts';
import { createIdempotencyStore } from '../../idempotency/idempotency-store.ts';
import { type OpenKeyRing, openLocalKeyRing } from '../../keys/local-key-ring.ts';
import { registerKeyRoutes } from '../../keys/routes.ts';
import { type CellLedger, createCellLedger } from '../../ledger/cell-ledger.ts';
import { createOrderBook } from '../../orders/order-book.ts';
import { registerOrderRoutes } from '../../orders/routes.ts';
import { registerRequestRoutes } from '../../requests/routes.ts';
import { registerRetentionRoutes } from '../../retention/routes.ts';
import { createPublicServer } from '../../server.ts';
import type { CellServices, Credential, LawInForce } from '../../services.ts';
import { registerHoldRoutes } from '../../subjects/hold-routes.ts';
import { registerStandingRoutes } from '../../subjects/routes.ts';
import { createStandings } from '../../subjects/standings.ts';
import { registerRecordRoutes } from '../routes.ts';

const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random = { bytes: (size: number) => randomBytes(size) };
const CHARTER_FILE = path.resolve(import.meta.dirname, '../../../../../charters/retailer.yaml');

/** A cell that must be closed. */
export interface RecordCell {
  readonly app: FastifyInstance;
  readonly services: CellServices;
  readonly testDatabase: TestDatabase;
  readonly database: Database;
  readonly ledger: CellLedger;
  readonly keys: OpenKeyRing;
  /** What erasures and runs of retention stand on. */
  readonly erasures: ErasureServices;
  /** A tenant with keys. */
  createTenant(): Promise<TenantId>;
  /** An account of a tenant; gives its bearer token. */
  createAccount(tenantId: TenantId, change?: Partial<Credential>): string;
  close(): Promise<void>;
}

/** The retailer's law, always fresh. */
export function createRetailerLaw(change: (text: string) => string = (text) => text): LawInForce {
  const document = parseCharter(change(readFileSync(CHARTER_FILE, 'utf8')));
  const charter = compileCharter(document, { sha256: (text) => hash('sha256', text, 'hex') });
  const engines = new Map<TenantId | undefined, Engine>();
  return {
    charter,
    serial: 1,
    hash: charter.hash,
    engineFor(tenantId) {
      const engine = engines.get(tenantId) ?? createEngine(charter, { serial: 1 });
      engines.set(tenantId, engine);
      return engine;
    },
    termsOf: () => undefined,
  };
}

/** Opens a cell's record store; nothing listens. */
export async function openRecordCell(
  options: {
    readonly cellId?: CellId;
    readonly poolSize?: number;
    readonly testDatabase?: TestDatabase;
    readonly law?: LawInForce;
  } = {},
): Promise<RecordCell> {
  const cellId = options.cellId ?? parseCellId('eu-de/main');
  const testDatabase = options.testDatabase ?? (await withTestDatabase());
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-records-'));
  chmodSync(directory, 0o700);
  const database = testDatabase.open(options.poolSize ?? 12);
  const log = openLog({ component: 'records-test' });
  const { privateKey } = generateKeyPairSync('ed25519');
  const ledger = createCellLedger({
    ...{ cellId, epoch: 1, privateKey, database, clock, random, log },
  });
  ledger.start();
  const keys = await openLocalKeyRing({
    ...{ cellId, clock, random, database, directory, keysUrl: testDatabase.keysUrl },
  });
  const inForce = options.law ?? createRetailerLaw();
  const law = { current: () => inForce, isFresh: () => true };
  const { meter } = createMeterInPlace();
  const declared = findCell(inForce.charter, cellId);
  const site = {
    cellId,
    jurisdiction: declared?.location ?? 'de',
    operator: declared?.operator ?? 'de',
  };
  const { entries } = ledger;
  const feed = createChangeFeed({ database, log });
  const macKey = createSecretKey(createHmac('sha256', 'test').update('orders').digest());
  const orders = createOrderBook({ database, clock, macKey, feed });
  const standings = createStandings({ database, clock, keys, feed });
  await feed.start();
  const enforcement = createEnforcement({ clock, law, entries, orders, meter, site });
  const services: CellServices = {
    ...{ cellId, clock, random, database, law, keys, entries, enforcement, log, meter },
    ...{ standings, orders },
  };
  const accounts = new Map<string, Credential>();
  const app = createServer(services, accounts);
  registerCollectionRoutes(app, services);
  registerRecordRoutes(app, services);
  registerKeyRoutes(app, services, keys.administration);
  const { privateKey: signingKey } = generateKeyPairSync('ed25519');
  const secrets = { ...toCellSecrets(signingKey), macKey };
  const parts = { ...services, standings, orders, feed, secrets };
  const erasures = { ...parts, administration: keys.administration };
  registerErasureRoutes(app, erasures);
  registerRequestRoutes(app, erasures);
  registerRetentionRoutes(app, parts, async () => undefined);
  registerStandingRoutes(app, parts);
  registerHoldRoutes(app, parts);
  registerOrderRoutes(app, parts);
  await app.ready();
  const newId = (): string => createUuidV7({ clock, random });
  return {
    app,
    services,
    testDatabase,
    database,
    ledger,
    keys,
    erasures,
    async createTenant() {
      const tenantId = parseTenantId(newId());
      await keys.administration.provisionTenant(tenantId);
      return tenantId;
    },
    createAccount(tenantId, change = {}) {
      const token = newId();
      accounts.set(token, {
        tenantId,
        account: newId(),
        kind: 'workload',
        role: 'shop-service',
        employer: 'controller',
        assurance: 'high',
        place: site.jurisdiction,
        purposes: ['order-fulfilment', 'customer-support', 'analytics'],
        defaultPurpose: 'order-fulfilment',
        residency: toResidency(cellId),
        ...change,
      });
      return token;
    },
    async close() {
      await app.close();
      feed.stop();
      await ledger.stop();
      await keys.close();
      await testDatabase.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function createServer(
  services: CellServices,
  accounts: ReadonlyMap<string, Credential>,
): FastifyInstance {
  const verify = async (headers: { authorization?: string | undefined }): Promise<Credential> => {
    const found = accounts.get((headers.authorization ?? '').replace('Bearer ', ''));
    if (found) return found;
    throw new CellError('CELL_CREDENTIAL_INVALID', 'no such account');
  };
  const macKey = createSecretKey(createHmac('sha256', 'test').update('idempotency').digest());
  return createPublicServer(services, {
    name: 'localhost',
    bodySizeBytesMax: 1024 * 1024,
    requestMsMax: 30_000,
    admission: createAdmission({
      inFlightCountMax: 256,
      inFlightPerTenantCountMax: 128,
      queuePerTenantCountMax: 1024,
    }),
    credentials: {
      verify,
      verifyAccess: () => Promise.reject(new CellError('CELL_CREDENTIAL_INVALID', 'no tokens')),
    },
    idempotency: createIdempotencyStore(services.database, macKey),
  });
}
