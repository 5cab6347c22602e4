// SPDX-License-Identifier: Apache-2.0
// A cell as a tenant's account sees it. Each method is one route; nothing is cached here and nothing is
// kept of what goes through.
import { type Answer, unwrap } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import { type Collection, createCollection } from './collection.ts';
import { createRequests, type Requests } from './requests.ts';
import { createRetention, type Retention } from './retention.ts';
import { createRights, type Rights } from './rights.ts';
import { createTransfers, type Transfers } from './transfers.ts';
import type {
  BlindIndexRequest,
  CharterSummary,
  CollectionDescription,
  CollectionSchema,
  Decisions,
  EntryAnswer,
  EntryPage,
  EntryQuery,
  EntryReceipts,
  EntrySearch,
  EntrySearchPage,
  ErasureReceipt,
  EvidenceAnswer,
  FactValue,
  InclusionProofsAnswer,
  KeyAction,
  KeyChange,
  KeyDescription,
  KeyReport,
  KeyRequest,
  KeyRotation,
  LedgerCheck,
  Openings,
  SealRequest,
  SealResult,
  WireFlow,
} from './wire.ts';

/** One cell of one tenant: it decides, it seals and opens, it records. */
export interface Cell {
  readonly residency: string;
  /** Cell id, `eu-de/main`. */
  readonly cellId: string;
  /** Server name. */
  readonly name: string;

  /** Routes, names, purposes and freshness of the charter in force. */
  charter(options?: CallOptions): Promise<Answer<CharterSummary>>;
  /** Decides each flow; a denial is an item with `outcome: 'deny'`, not a problem. */
  decide(flows: readonly WireFlow[], options?: CallOptions): Promise<Answer<Decisions>>;
  /** Seals field sets for the caller's own database; one result per value, in order. */
  seal(
    values: readonly SealRequest[],
    options?: CallOptions,
  ): Promise<Answer<{ readonly items: readonly SealResult[] }>>;
  /** Opens sealed values; one entry in the ledger for the whole batch. */
  open(
    values: readonly { readonly sealed: string }[],
    options?: CallOptions,
  ): Promise<Answer<Openings>>;
  /** The blind index of a value, for an exact search in the caller's own SQL. */
  blindIndex(
    value: BlindIndexRequest,
    options?: CallOptions,
  ): Promise<Answer<{ readonly index: string }>>;

  readonly entries: {
    /** Records that something happened: ids, hashes and counts only. */
    create(
      facts: readonly Readonly<Record<string, FactValue>>[],
      options?: CallOptions,
    ): Promise<Answer<EntryReceipts>>;
    get(entryId: string, options?: CallOptions): Promise<Answer<EntryAnswer>>;
    /** The tenant's own entries, the newest first. */
    list(query: EntryQuery, options?: CallOptions): Promise<Answer<EntryPage>>;
    /** The tenant's own entries by what they tell, page by page. */
    search(search: EntrySearch, options?: CallOptions): Promise<Answer<EntrySearchPage>>;
    /** All pages of a search, one entry at a time; a problem ends it as an exception. */
    searchAll(search: EntrySearch, options?: CallOptions): AsyncGenerator<EntryAnswer>;
    /** The proof that an entry is in the log, as a file (C2SP tlog-proof): text. */
    proof(entryId: string, options?: CallOptions): Promise<Answer<string>>;
    /** All pages of them, one entry at a time; a problem ends it as an exception. */
    listAll(query: EntryQuery, options?: CallOptions): AsyncGenerator<EntryAnswer>;
  };
  readonly collections: {
    put(
      id: string,
      schema: CollectionSchema,
      options?: CallOptions,
    ): Promise<Answer<CollectionDescription>>;
    get(id: string, options?: CallOptions): Promise<Answer<CollectionDescription>>;
    list(
      options?: CallOptions,
    ): Promise<Answer<{ readonly items: readonly CollectionDescription[] }>>;
  };
  /** Records of one collection. */
  collection(id: string): Collection;
  /** What leaves this cell. */
  readonly transfers: Transfers;
  readonly keys: {
    list(options?: CallOptions): Promise<Answer<{ readonly items: readonly KeyDescription[] }>>;
    disable(keyId: string, options?: CallOptions): Promise<Answer<KeyChange>>;
    enable(keyId: string, options?: CallOptions): Promise<Answer<KeyChange>>;
    /** A new version; a tenant key's goes on in the background. */
    rotate(keyId: string, options?: CallOptions): Promise<Answer<KeyRotation>>;
    rotation(rotationId: string, options?: CallOptions): Promise<Answer<KeyRotation>>;
    report(options?: CallOptions): Promise<Answer<KeyReport>>;
    /** A shorter staleness, at once. */
    shortenStaleness(
      stalenessMs: number,
      options?: CallOptions,
    ): Promise<Answer<{ readonly stalenessMs: number }>>;
    /** Asks for what two people must sign. */
    request(action: KeyAction, options?: CallOptions): Promise<Answer<KeyRequest>>;
    requests(options?: CallOptions): Promise<Answer<{ readonly items: readonly KeyRequest[] }>>;
    sign(
      keyRequestId: string,
      signed: { readonly key: string; readonly signature: string },
      options?: CallOptions,
    ): Promise<Answer<KeyRequest>>;
    cancel(keyRequestId: string, options?: CallOptions): Promise<Answer<KeyRequest>>;
  };
  /** Consents, objections, restrictions, holds, legal orders. */
  readonly rights: Rights;
  readonly retention: Retention;
  readonly requests: Requests;
  readonly erasures: {
    /** Erases a person: the caller's own id of the subject. */
    create(subject: string, options?: CallOptions): Promise<Answer<ErasureReceipt>>;
    get(erasureId: string, options?: CallOptions): Promise<Answer<ErasureReceipt>>;
  };
  readonly evidence: {
    /** Puts on record what an evidence pack is made from, and gives it. */
    state(options?: CallOptions): Promise<Answer<EvidenceAnswer>>;
  };
  readonly ledger: {
    /** The newest signed checkpoint, as text. */
    checkpoint(options?: CallOptions): Promise<Answer<string>>;
    /** The newest checkpoint that witnesses cosigned, as text; it may be smaller than `checkpoint`. */
    cosignedCheckpoint(options?: CallOptions): Promise<Answer<string>>;
    /** A tile or bundle of the log by its C2SP path: bytes. */
    tile(path: string, options?: CallOptions): Promise<Answer<Buffer>>;
    /** Compares what is stored with what is on record. */
    check(options?: CallOptions): Promise<Answer<LedgerCheck>>;
    /** Proofs that the tenant's own entries are in the log. */
    inclusionProofs(
      entries: readonly string[],
      options?: CallOptions,
    ): Promise<Answer<InclusionProofsAnswer>>;
    /**
     * Bodies and salts of the tenant's own entries below `size`, a line of JSON each. With `from`, some
     * megabytes of them from this position on; go on from behind the last until none comes.
     */
    bodies(
      size: number,
      options?: CallOptions & { readonly from?: number },
    ): Promise<Answer<Buffer>>;
  };
  health(options?: CallOptions): Promise<Answer<Readonly<Record<string, unknown>>>>;
  /** Any other route of the cell, with this account's credentials. */
  readonly call: Caller;
}

export interface CellIdentity {
  readonly residency: string;
  readonly cellId: string;
  readonly name: string;
}

/** Puts the routes over a caller. */
export function createCell(call: Caller, identity: CellIdentity): Cell {
  return {
    ...identity,
    call,
    charter: (options) => call({ method: 'GET', path: '/v1/charter' }, options),
    decide: (flows, options) =>
      call({ method: 'POST', path: '/v1/decisions', body: { flows } }, options),
    seal: (values, options) =>
      call({ method: 'POST', path: '/v1/seals', body: { values } }, options),
    open: (values, options) =>
      call({ method: 'POST', path: '/v1/openings', body: { values } }, options),
    blindIndex: (value, options) =>
      call({ method: 'POST', path: '/v1/blind-indexes', body: value }, options),
    collection: (id) => createCollection(call, id),
    health: (options) => call({ method: 'GET', path: '/v1/health' }, options),
    entries: createEntries(call),
    collections: {
      put: (id, schema, options) =>
        call({ method: 'PUT', path: toCollectionPath(id), body: schema }, options),
      get: (id, options) => call({ method: 'GET', path: toCollectionPath(id) }, options),
      list: (options) => call({ method: 'GET', path: '/v1/collections' }, options),
    },
    ...createTrust(call),
    rights: createRights(call),
    retention: createRetention(call),
    requests: createRequests(call),
  };
}

function createTrust(
  call: Caller,
): Pick<Cell, 'transfers' | 'keys' | 'erasures' | 'evidence' | 'ledger'> {
  const keyAction = (keyId: string, action: 'disablements' | 'enablements'): string =>
    `/v1/keys/${encodeURIComponent(keyId)}/${action}`;
  return {
    transfers: createTransfers(call),
    keys: {
      list: (options) => call({ method: 'GET', path: '/v1/keys' }, options),
      disable: (keyId, options) =>
        call({ method: 'POST', path: keyAction(keyId, 'disablements'), body: {} }, options),
      enable: (keyId, options) =>
        call({ method: 'POST', path: keyAction(keyId, 'enablements'), body: {} }, options),
      ...createCustody(call),
    },
    erasures: {
      create: (subject, options) =>
        call({ method: 'POST', path: '/v1/erasures', body: { subject } }, options),
      get: (erasureId, options) =>
        call({ method: 'GET', path: `/v1/erasures/${encodeURIComponent(erasureId)}` }, options),
    },
    evidence: {
      state: (options) =>
        call({ method: 'POST', path: '/v1/evidence-statements', body: {} }, options),
    },
    ledger: {
      checkpoint: (options) => call({ method: 'GET', path: '/v1/ledger/checkpoint' }, options),
      cosignedCheckpoint: (options) =>
        call({ method: 'GET', path: '/v1/ledger/cosigned-checkpoint' }, options),
      tile: (path, options) => call({ method: 'GET', path: `/v1/ledger/${path}` }, options),
      check: (options) => call({ method: 'POST', path: '/v1/ledger/checks', body: {} }, options),
      inclusionProofs: (entries, options) =>
        call({ method: 'POST', path: '/v1/ledger/inclusion-proofs', body: { entries } }, options),
      bodies: (size, { from, ...options } = {}) => {
        const part = from === undefined ? '' : `&from=${from}`;
        return call({ method: 'GET', path: `/v1/ledger/bodies?size=${size}${part}` }, options);
      },
    },
  };
}

function createCustody(call: Caller): Omit<Cell['keys'], 'list' | 'disable' | 'enable'> {
  const at = (id: string, what: string): string =>
    `/v1/key-requests/${encodeURIComponent(id)}/${what}`;
  return {
    rotate: (keyId, options) =>
      call(
        { method: 'POST', path: `/v1/keys/${encodeURIComponent(keyId)}/rotations`, body: {} },
        options,
      ),
    rotation: (rotationId, options) =>
      call({ method: 'GET', path: `/v1/key-rotations/${encodeURIComponent(rotationId)}` }, options),
    report: (options) => call({ method: 'GET', path: '/v1/key-report' }, options),
    shortenStaleness: (stalenessMs, options) =>
      call({ method: 'POST', path: '/v1/staleness-changes', body: { stalenessMs } }, options),
    request: (action, options) =>
      call({ method: 'POST', path: '/v1/key-requests', body: { action } }, options),
    requests: (options) => call({ method: 'GET', path: '/v1/key-requests' }, options),
    sign: (id, signed, options) =>
      call({ method: 'POST', path: at(id, 'signatures'), body: signed }, options),
    cancel: (id, options) =>
      call({ method: 'POST', path: at(id, 'cancellations'), body: {} }, options),
  };
}

function createEntries(call: Caller): Cell['entries'] {
  const list: Cell['entries']['list'] = (query, options) =>
    call({ method: 'GET', path: `/v1/entries${toQuery(query)}` }, options);
  const search: Cell['entries']['search'] = (query, options) =>
    call({ method: 'POST', path: '/v1/entries/searches', body: query }, options);
  return {
    list,
    search,
    async *searchAll(query, options) {
      let pageToken = query.pageToken;
      do {
        const next = { ...query, ...(pageToken === undefined ? {} : { pageToken }) };
        const page = unwrap(await search(next, options));
        yield* page.items;
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
    },
    proof: (entryId, options) =>
      call({ method: 'GET', path: `/v1/entries/${encodeURIComponent(entryId)}/proof` }, options),
    async *listAll(query, options) {
      let pageToken = query.pageToken;
      do {
        const next = { ...query, ...(pageToken === undefined ? {} : { pageToken }) };
        const page = unwrap(await list(next, options));
        yield* page.items;
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
    },
    create: (facts, options) =>
      call({ method: 'POST', path: '/v1/entries', body: toEntries(facts) }, options),
    get: (entryId, options) =>
      call({ method: 'GET', path: `/v1/entries/${encodeURIComponent(entryId)}` }, options),
  };
}

/** Page sizes and tokens only: neither says anything about a person. */
function toQuery(query: EntryQuery): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(name, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}

function toEntries(facts: readonly Readonly<Record<string, FactValue>>[]): unknown {
  return { entries: facts.map((one) => ({ facts: one })) };
}

function toCollectionPath(id: string): string {
  return `/v1/collections/${encodeURIComponent(id)}`;
}
