// SPDX-License-Identifier: Apache-2.0
// A tenant's own entries over HTTP: found by what they tell, and proven in a file that needs no network.
import type { KeyObject } from 'node:crypto';
import {
  ENTRY_SEARCH_PAGE_SIZE_DEFAULT,
  type EntrySearch,
  type EntrySearchPage,
  EntrySearchPageSchema,
  EntrySearchSchema,
  ProblemSchema,
  UuidSchema,
} from '@bailiwick/contracts';
import {
  type Json,
  parseEntryId,
  parseInstant,
  parseSubjectId,
  type SubjectId,
} from '@bailiwick/kernel';
import { deriveSubjectId } from '@bailiwick/keys';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { toEntrySubject } from '../records/entry.ts';
import { parsePageToken, sealPageToken, type TokenScope } from '../records/page-token.ts';
import type { CellServices } from '../services.ts';
import type { CellLedger } from './cell-ledger.ts';
import type { Property, Wanted } from './entry-marks.ts';
import { type CosignedHead, proveEntryFile } from './prove-entry-file.ts';
import { requireSubjectSearch } from './roles.ts';
import { type EntryQuery, type SearchCursor, searchEntries } from './search-entries.ts';

const PROOF_TYPE = 'text/plain; charset=utf-8';
const own = { carriesPlaintext: false, idempotency: 'none' } as const;

/** What these routes need beyond the inner API. */
export interface EntrySearchParts {
  readonly ledger: CellLedger;
  /** Seals page tokens; it works while a customer's key is disabled, as the search does. */
  readonly tokenKey: KeyObject;
  /** The newest checkpoint that witnesses cosigned. */
  readonly findCosigned: () => Promise<CosignedHead | undefined>;
}

/** `POST /v1/entries/searches`, `GET /v1/entries/{entryId}/proof` */
export function registerEntrySearchRoutes(
  app: FastifyInstance,
  services: CellServices,
  parts: EntrySearchParts,
): void {
  const ports = { ...services, ledger: parts.ledger };
  app.post<{ Body: EntrySearch }>(
    '/v1/entries/searches',
    {
      config: own,
      schema: {
        summary: 'The tenant’s own entries, by what they tell',
        tags: ['ledger'],
        body: EntrySearchSchema,
        response: { 200: EntrySearchPageSchema, default: ProblemSchema },
      },
    },
    async (request): Promise<EntrySearchPage> => {
      const { tenantId } = request.credential;
      const { pageToken, ...search } = request.body;
      const subject = await findSubject(services, request);
      const query = toQuery(search, subject);
      const scope = toScope(request, search);
      const nowMs = services.clock.nowMs();
      const cursor =
        pageToken === undefined
          ? undefined
          : toCursor(parsePageToken(parts.tokenKey, scope, { token: pageToken, nowMs }).after);
      const { page, next } = await searchEntries(ports, { tenantId, query, cursor });
      if (next === undefined) return page;
      const after = [String(next.epoch), String(next.index)];
      const nextPageToken = sealPageToken(parts.tokenKey, scope, {
        cursor: { after, recordId: '' },
        nowMs,
      });
      return { ...page, nextPageToken };
    },
  );
  app.get<{ Params: { entryId: string } }>(
    '/v1/entries/:entryId/proof',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'Proof that one of the tenant’s own entries is in the log (C2SP tlog-proof)',
        tags: ['ledger'],
        params: Type.Object({ entryId: UuidSchema }),
      },
    },
    async (request, reply) => {
      const entryId = parseEntryId(request.params.entryId);
      const { tenantId } = request.credential;
      const file = await proveEntryFile(ports, {
        tenantId,
        entryId,
        cosigned: await parts.findCosigned(),
      });
      return reply.type(PROOF_TYPE).send(file);
    },
  );
}

/** The person that was asked for; that somebody looked is on record before anything is found. */
async function findSubject(
  services: CellServices,
  request: FastifyRequest<{ Body: EntrySearch }>,
): Promise<SubjectId | undefined> {
  const { credential, body } = request;
  if (body.subject === undefined && body.subjectId === undefined) return undefined;
  requireSubjectSearch(credential);
  const subjectId =
    body.subject === undefined
      ? parseSubjectId(body.subjectId ?? '')
      : deriveSubjectId((await services.keys.secrets(credential.tenantId)).idKey, body.subject);
  const { account, kind, role, employer, assurance, place } = credential;
  await services.entries.record(credential.tenantId, {
    kind: 'observation',
    actor: { account, kind, role, employer, assurance, place },
    ...toEntrySubject(subjectId),
    facts: { observed: 'entries-searched-by-subject' },
    request: request.id,
  });
  return subjectId;
}

function toQuery(
  search: Omit<EntrySearch, 'pageToken'>,
  subject: SubjectId | undefined,
): EntryQuery {
  const { flow = {} } = search;
  const groups: Wanted[][] = [];
  const add = (property: Property, value: string | undefined): void => {
    if (value !== undefined) groups.push([[property, value]]);
  };
  if (search.kinds !== undefined) groups.push(search.kinds.map((kind) => ['kind', kind]));
  add('subject', toEntrySubject(subject)?.subject);
  add('action', flow.action);
  add('purpose', flow.purpose);
  add('location', flow.location);
  add('destination', flow.destination);
  add('class', flow.class);
  add('category', flow.category);
  add('outcome', search.outcome);
  add('rule', search.rule);
  add('key', search.key);
  add('account', search.account);
  add('role', search.role);
  add('collection', search.collection);
  add('code', search.code);
  return {
    groups,
    fromMs: search.from === undefined ? undefined : parseInstant(search.from),
    toMs: search.to === undefined ? undefined : parseInstant(search.to),
    isNewestFirst: search.order !== 'oldest',
    pageSize: search.pageSize ?? ENTRY_SEARCH_PAGE_SIZE_DEFAULT,
    withProofs: search.proofs === true,
  };
}

/** A token is good for the query that it came from, and for who asked it. */
function toScope(request: FastifyRequest, search: object): TokenScope {
  const { tenantId, account, role } = request.credential;
  return {
    tenantId,
    account,
    role,
    purpose: '',
    collectionId: '/v1/entries/searches',
    query: JSON.parse(JSON.stringify(search)) as Json,
  };
}

function toCursor([epoch, index]: readonly string[]): SearchCursor {
  return { epoch: Number(epoch), index: Number(index) };
}
