// SPDX-License-Identifier: Apache-2.0
// Records of one collection. Searches are POST: no value that could be personal is ever in a URL
// (invariant 7); record ids in paths are the cell's keyed hashes.
import { type Answer, unwrap } from './answer.ts';
import type { Caller, CallOptions } from './caller.ts';
import type {
  Fields,
  ImportResult,
  RecordDraft,
  RecordPage,
  SearchQuery,
  StoredRecord,
  Where,
} from './wire.ts';

export interface ImportOptions extends CallOptions {
  /** Number of the first line, so that refused lines carry the file's own numbers. */
  readonly firstLine?: number;
}

/** What can be done with the records of a collection. */
export interface Collection {
  readonly id: string;
  create(draft: RecordDraft, options?: CallOptions): Promise<Answer<StoredRecord>>;
  get(recordId: string, options?: CallOptions): Promise<Answer<StoredRecord>>;
  /** `version` is the one that was read; another writer's change answers 412. */
  update(
    recordId: string,
    change: { readonly version: number; readonly fields: Fields },
    options?: CallOptions,
  ): Promise<Answer<StoredRecord>>;
  delete(
    recordId: string,
    change: { readonly version: number },
    options?: CallOptions,
  ): Promise<Answer<unknown>>;
  search(query: SearchQuery, options?: CallOptions): Promise<Answer<RecordPage>>;
  /** All pages of a search, one record at a time; a problem ends it as an exception. */
  searchAll(query: SearchQuery, options?: CallOptions): AsyncGenerator<StoredRecord>;
  count(
    where: Where | undefined,
    options?: CallOptions,
  ): Promise<Answer<{ readonly count: number }>>;
  /** Records as lines of JSON: accepted, unchanged and refused are counted; repeating changes nothing. */
  import(lines: string | Buffer, options?: ImportOptions): Promise<Answer<ImportResult>>;
}

/** Puts the routes of a collection over a caller. */
export function createCollection(call: Caller, id: string): Collection {
  const base = `/v1/collections/${encodeURIComponent(id)}`;
  const toPath = (recordId: string): string => `${base}/records/${encodeURIComponent(recordId)}`;
  const search: Collection['search'] = (query, options) =>
    call({ method: 'POST', path: `${base}/searches`, body: query }, options);
  return {
    id,
    search,
    searchAll: (query, options) => iterate(search, query, options),
    create: (draft, options) =>
      call({ method: 'POST', path: `${base}/records`, body: draft }, options),
    get: (recordId, options) => call({ method: 'GET', path: toPath(recordId) }, options),
    update: (recordId, { version, fields }, options) =>
      call(
        {
          method: 'PATCH',
          path: toPath(recordId),
          body: { fields },
          headers: { 'if-match': `"${version}"` },
        },
        options,
      ),
    delete: (recordId, { version }, options) =>
      call(
        { method: 'DELETE', path: toPath(recordId), headers: { 'if-match': `"${version}"` } },
        options,
      ),
    count: (where, options) =>
      call({ method: 'POST', path: `${base}/counts`, body: { where: where ?? {} } }, options),
    import: (lines, { firstLine, ...options } = {}) =>
      call(
        {
          method: 'POST',
          path: `${base}/imports`,
          body: lines,
          contentType: 'application/x-ndjson',
          headers: { 'bailiwick-first-line': String(firstLine ?? 1) },
        },
        options,
      ),
  };
}

async function* iterate(
  search: Collection['search'],
  query: SearchQuery,
  options: CallOptions | undefined,
): AsyncGenerator<StoredRecord> {
  let pageToken = query.pageToken;
  do {
    const answer = await search(
      { ...query, ...(pageToken === undefined ? {} : { pageToken }) },
      options,
    );
    const page = unwrap(answer);
    yield* page.items;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
