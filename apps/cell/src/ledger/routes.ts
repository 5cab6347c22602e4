// SPDX-License-Identifier: Apache-2.0
// The log over HTTP: what can be given to anybody (checkpoint, tiles, bundles: c2sp.org/tlog-tiles), and
// entries opened for the tenant whose they are.
import { Readable } from 'node:stream';
import {
  ENTRY_PAGE_SIZE_MAX,
  type EntryAnswer,
  EntryAnswerSchema,
  type EntryPage,
  EntryPageSchema,
  type InclusionProofsAnswer,
  InclusionProofsAnswerSchema,
  type InclusionProofsRequest,
  InclusionProofsRequestSchema,
  type LedgerCheckAnswer,
  LedgerCheckAnswerSchema,
  ProblemSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import { parseEntryId, type TenantId } from '@bailiwick/kernel';
import {
  type CosignedTime,
  LedgerError,
  parseTilePath,
  toBodyLine,
  toServedTile,
  toVerifierKeyText,
} from '@bailiwick/ledger';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellServices } from '../services.ts';
import type { CellLedger } from './cell-ledger.ts';
import { checkRows } from './check-rows.ts';
import { streamBodies } from './entry-store.ts';
import { listNewest, proveEntries } from './prove-entries.ts';

const NOTE_TYPE = 'text/plain; charset=utf-8';
const TILE_TYPE = 'application/octet-stream';
/** A tile of a given path never changes. */
const FOR_EVER = 'public, max-age=31536000, immutable';
const open = { access: 'open', carriesPlaintext: false } as const;
const own = { carriesPlaintext: false } as const;

/** All routes of the ledger. */
export function registerLedgerRoutes(
  app: FastifyInstance,
  services: CellServices,
  ledger: CellLedger,
  listTimes: () => Promise<readonly CosignedTime[]> = async () => [],
): void {
  registerLogRoutes(app, ledger);
  registerEntryRoutes(app, services, ledger);
  registerProofRoutes(app, services, ledger);
  registerCheckRoutes(app, services, { ledger, listTimes });
}

function registerLogRoutes(app: FastifyInstance, ledger: CellLedger): void {
  app.get(
    '/v1/ledger/checkpoint',
    { config: open, schema: { summary: 'Newest signed checkpoint', tags: ['ledger'] } },
    async (_request, reply) => {
      const checkpoint = await ledger.store.readCheckpoint(ledger.epoch);
      if (checkpoint === undefined) {
        throw new LedgerError('LEDGER_CHECKPOINT_LATE', 'the log has no signed checkpoint yet');
      }
      return reply.type(NOTE_TYPE).header('cache-control', 'no-cache').send(checkpoint.note);
    },
  );
  app.get(
    '/v1/ledger/key',
    { config: open, schema: { summary: 'Key of the log as a vkey', tags: ['ledger'] } },
    // SECURITY: for comparing with the key known from elsewhere. A log cannot vouch for itself.
    async (_request, reply) =>
      reply.type(NOTE_TYPE).send(`${toVerifierKeyText(ledger.verifierKey)}\n`),
  );
  app.get<{ Params: { '*': string } }>(
    '/v1/ledger/tile/*',
    {
      config: open,
      schema: { summary: 'Tile or entry bundle (C2SP tlog-tiles)', tags: ['ledger'] },
    },
    async (request, reply) => {
      const address = parseTilePath(`tile/${request.params['*']}`);
      const bytes = await ledger.store.readTile(ledger.epoch, address);
      if (bytes === undefined) {
        throw new LedgerError('LEDGER_TILE_MISSING', 'the log is not as long as that');
      }
      const payload = Buffer.from(toServedTile(address, bytes));
      return reply.type(TILE_TYPE).header('cache-control', FOR_EVER).send(payload);
    },
  );
}

function registerEntryRoutes(
  app: FastifyInstance,
  services: CellServices,
  ledger: CellLedger,
): void {
  const ports = { database: services.database, ledger };
  app.get<{ Params: { entryId: string } }>(
    '/v1/entries/:entryId',
    {
      config: own,
      schema: {
        summary: 'One of the tenant’s own entries, with salt and proof',
        tags: ['ledger'],
        params: Type.Object({ entryId: UuidSchema }),
        response: { 200: EntryAnswerSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<EntryAnswer> => {
      const entryId = parseEntryId(request.params.entryId);
      const { tenantId } = request.credential;
      const found = await proveEntries(ports, { tenantId, entryIds: [entryId] });
      const answer = found.get(entryId);
      if (answer !== undefined) return answer;
      throw new LedgerError('LEDGER_ENTRY_UNKNOWN', 'the tenant has no such entry');
    },
  );
  app.get<{ Querystring: { pageSize?: number; pageToken?: string } }>(
    '/v1/entries',
    {
      config: own,
      schema: {
        summary: 'The tenant’s newest entries first',
        tags: ['ledger'],
        querystring: Type.Object({
          pageSize: Type.Integer({ minimum: 1, maximum: ENTRY_PAGE_SIZE_MAX, default: 20 }),
          pageToken: Type.Optional(UuidSchema),
        }),
        response: { 200: EntryPageSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<EntryPage> => {
      const { pageSize: limit = 20, pageToken: before } = request.query;
      const { tenantId } = request.credential;
      const items = await listNewest(ports, { tenantId, before, limit });
      const last = items.length === limit ? items.at(-1) : undefined;
      return { items, ...(last === undefined ? {} : { nextPageToken: last.entry }) };
    },
  );
  app.get<{ Querystring: { size?: number; from?: number } }>(
    '/v1/ledger/bodies',
    {
      config: { ...own, priority: 'bulk' },
      schema: {
        summary: 'The tenant’s bodies with salts in the order of the log, as an export has them',
        tags: ['ledger'],
        description:
          'With `from` the answer ends after some megabytes: go on from behind the last index until none comes.',
        querystring: Type.Object({
          size: Type.Integer({ minimum: 0 }),
          from: Type.Optional(Type.Integer({ minimum: 0 })),
        }),
      },
    },
    async (request, reply) => {
      const { size = 0, from } = request.query;
      const { tenantId } = request.credential;
      const { epoch } = ledger;
      const lines = toLines({ database: services.database, tenantId, epoch, size, from });
      return reply.type('application/x-ndjson').send(Readable.from(lines, { objectMode: false }));
    },
  );
}

const LINES_SIZE_MAX = 65_536;
/** Length of an answer after which its reader asks for the next. */
const PART_SIZE_MAX = 8 * 1_048_576;

async function* toLines(options: {
  readonly database: CellServices['database'];
  readonly tenantId: TenantId;
  readonly epoch: number;
  readonly size: number;
  readonly from: number | undefined;
}): AsyncGenerator<string> {
  let text = '';
  let told = 0;
  for await (const body of streamBodies(options.database, {
    ...options,
    from: options.from ?? 0,
  })) {
    text += toBodyLine(body);
    if (text.length < LINES_SIZE_MAX) continue;
    yield text;
    told += text.length;
    text = '';
    if (options.from !== undefined && told >= PART_SIZE_MAX) return;
  }
  if (text !== '') yield text;
}

function registerProofRoutes(
  app: FastifyInstance,
  services: CellServices,
  ledger: CellLedger,
): void {
  app.post<{ Body: InclusionProofsRequest }>(
    '/v1/ledger/inclusion-proofs',
    {
      config: { ...own, idempotency: 'none' },
      schema: {
        summary: 'Proofs that the tenant’s own entries are in the log',
        tags: ['ledger'],
        body: InclusionProofsRequestSchema,
        response: { 200: InclusionProofsAnswerSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<InclusionProofsAnswer> => {
      const { tenantId } = request.credential;
      const entryIds = request.body.entries.map(parseEntryId);
      const found = await proveEntries(
        { database: services.database, ledger },
        { tenantId, entryIds },
      );
      return { items: entryIds.map((entry) => toProofItem(entry, found.get(entry))) };
    },
  );
}

function registerCheckRoutes(
  app: FastifyInstance,
  services: CellServices,
  {
    ledger,
    listTimes,
  }: {
    readonly ledger: CellLedger;
    readonly listTimes: () => Promise<readonly CosignedTime[]>;
  },
): void {
  app.post(
    '/v1/ledger/checks',
    {
      config: { ...own, idempotency: 'none', priority: 'bulk' },
      schema: {
        summary:
          'Holds the tenant’s stored rows and entries against the ledger; names what differs',
        tags: ['ledger'],
        response: { 200: LedgerCheckAnswerSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<LedgerCheckAnswer> =>
      checkRows(
        { database: services.database, ledger },
        request.credential.tenantId,
        await listTimes(),
      ),
  );
}

function toProofItem(
  entry: string,
  answer: EntryAnswer | undefined,
): InclusionProofsAnswer['items'][number] {
  if (answer?.leafHash === undefined) return { entry, problem: { code: 'LEDGER_ENTRY_UNKNOWN' } };
  if (answer.proof === undefined) return { entry, problem: { code: 'LEDGER_CHECKPOINT_LATE' } };
  return { entry, leafHash: answer.leafHash, proof: answer.proof };
}
