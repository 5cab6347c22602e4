// SPDX-License-Identifier: Apache-2.0
// What the tenant's people look at: what lies here, where else there are cells, the law's grounds, the
// cell's state. Everything here is read; all of it answers while the customer's key is disabled.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  CellsAnswerSchema,
  HoldingsAnswerSchema,
  MechanismsAnswerSchema,
  PlacesAnswerSchema,
  ProblemSchema,
  type StatusAnswer,
  StatusAnswerSchema,
} from '@bailiwick/contracts';
import { type TenantId, toInstant } from '@bailiwick/kernel';
import { toVerifierKeyText } from '@bailiwick/ledger';
import type { FastifyInstance } from 'fastify';
import type { TSchema } from 'typebox';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import type { CellRuntime } from '../runtime.ts';
import { createHoldings } from './holdings.ts';
import { listCells, listMechanisms, listPlaces } from './law-overview.ts';

const config = { carriesPlaintext: false } as const;
const QUORUM_DEFAULT = 2;

/** `GET /v1/holdings`, `/v1/cells`, `/v1/places`, `/v1/mechanisms`, `/v1/status` */
export function registerOverviewRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  ledger: CellLedger,
): void {
  const { law, clock, cellId } = runtime;
  const holdings = createHoldings(runtime);
  const startedAt = toInstant(Date.now());
  const version = readVersion();
  const schema = (summary: string, tag: string, answer: TSchema) => ({
    summary,
    tags: [tag],
    response: { 200: answer, default: ProblemSchema },
  });
  app.get(
    '/v1/holdings',
    { config, schema: schema('What lies here, counted', 'records', HoldingsAnswerSchema) },
    ({ credential }) => holdings.get(credential.tenantId),
  );
  app.get(
    '/v1/cells',
    { config, schema: schema('The cells, and which are home', 'charter', CellsAnswerSchema) },
    async ({ credential: { tenantId } }) => ({
      items: listCells(law.current(), { cellId, tenantId }),
    }),
  );
  app.get(
    '/v1/places',
    { config, schema: schema('Where data of each place lives', 'charter', PlacesAnswerSchema) },
    async () => ({ items: listPlaces(law.current()) }),
  );
  app.get(
    '/v1/mechanisms',
    { config, schema: schema('Grounds of transfers', 'charter', MechanismsAnswerSchema) },
    async () => ({ items: listMechanisms(law.current(), clock.nowMs()) }),
  );
  app.get(
    '/v1/status',
    { config, schema: schema('How this cell stands', 'health', StatusAnswerSchema) },
    ({ credential }) =>
      readStatus({ runtime, ledger, tenantId: credential.tenantId }, { startedAt, version }),
  );
}

function readVersion(): string {
  const file = path.resolve(import.meta.dirname, '../../package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { readonly version: string };
  return version;
}

async function readStatus(
  of: { readonly runtime: CellRuntime; readonly ledger: CellLedger; readonly tenantId: TenantId },
  { startedAt, version }: { readonly startedAt: string; readonly version: string },
): Promise<StatusAnswer> {
  const { runtime, ledger, tenantId } = of;
  const { config: settings, law, clock } = runtime;
  const inForce = law.current();
  const { charter, hash, serial } = inForce;
  const head = await ledger.store.readHead(ledger.epoch);
  const { rows } = await runtime.database.withTenant(tenantId, (tx) =>
    tx.query<{ state: string; count: string }>(
      'SELECT state, count(*) FROM cell.transfers WHERE tenant_id = $1 GROUP BY state',
      [tenantId],
    ),
  );
  const { title } = charter.document;
  return {
    cell: runtime.cellId,
    version,
    startedAt,
    now: toInstant(clock.nowMs()),
    location: {
      jurisdiction: settings.location.jurisdiction,
      observedBy: settings.location.observed.kind,
    },
    operator: settings.operator,
    charter: {
      name: charter.name,
      ...(title === undefined ? {} : { title }),
      ...{ serial, hash, atlasDate: charter.atlasDate, freshForMs: charter.freshForMs },
      isFresh: law.isFresh(),
      rulesCount: charter.rules.length,
    },
    bundleSerial: law.serial(),
    ledger: {
      origin: ledger.origin,
      size: head.size,
      key: toVerifierKeyText(ledger.verifierKey),
    },
    witnesses: {
      quorum: settings.witnesses?.quorum ?? QUORUM_DEFAULT,
      cosigners: (settings.witnesses?.cosigners ?? []).map(({ kind, key }) => ({ kind, key })),
    },
    transfers: Object.fromEntries(rows.map(({ state, count }) => [state, Number(count)])),
  };
}
