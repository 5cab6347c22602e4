// SPDX-License-Identifier: Apache-2.0
// Requests that two people sign, for the key service. A row here is no approval: see `key-requests.ts`.
import { parseTenantId } from '@bailiwick/kernel';
import {
  KEY_REQUEST_STATES,
  type KeyRequestRow,
  type KeyRequestSignature,
  type KeyRequestState,
  type KeyRequestStore,
} from '@bailiwick/keys';
import type { Database } from './database.ts';
import { text, time } from './key-state-store.ts';

type Row = Readonly<Record<string, unknown>>;

function parseState(value: string): KeyRequestState {
  // Unknown is cancelled: fail closed.
  return KEY_REQUEST_STATES.find((state) => state === value) ?? 'cancelled';
}

function parseSignature(value: unknown): readonly KeyRequestSignature[] {
  if (typeof value !== 'object' || value === null) return [];
  const { key, signature, account } = value as Readonly<Record<string, unknown>>;
  const areTexts =
    typeof key === 'string' && typeof signature === 'string' && typeof account === 'string';
  return areTexts ? [{ key, signature, account }] : [];
}

function parseRequest(row: Row): KeyRequestRow {
  const signatures: unknown = row['signatures'];
  return {
    requestId: text(row, 'request_id'),
    tenantId: parseTenantId(text(row, 'tenant_id')),
    body: text(row, 'body'),
    state: parseState(text(row, 'state')),
    signatures: Array.isArray(signatures) ? signatures.flatMap(parseSignature) : [],
    createdAtMs: time(row['created_at']),
    expiresAtMs: time(row['expires_at']),
    doneAtMs: row['done_at'] === null ? undefined : time(row['done_at']),
  };
}

/** Requests of a cell. */
export function createPostgresKeyRequestStore({ pool }: Database): KeyRequestStore {
  const list = async (sql: string, values: readonly unknown[]): Promise<readonly KeyRequestRow[]> =>
    (await pool.query<Row>(sql, [...values])).rows.map(parseRequest);
  return {
    async insertRequest(request) {
      await pool.query(
        `INSERT INTO keys.requests (request_id, tenant_id, body, state, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)`,
        [
          request.requestId,
          request.tenantId,
          request.body,
          request.state,
          new Date(request.createdAtMs),
          new Date(request.expiresAtMs),
        ],
      );
    },
    findRequest: async (requestId) =>
      (await list('SELECT * FROM keys.requests WHERE request_id = $1', [requestId]))[0],
    listRequests: (tenantId, count) =>
      list('SELECT * FROM keys.requests WHERE tenant_id = $1 ORDER BY created_at DESC LIMIT $2', [
        tenantId,
        count,
      ]),
    listApproved: () => list(`SELECT * FROM keys.requests WHERE state = 'approved'`, []),
    async updateRequest(requestId, from, to) {
      const { rowCount } = await pool.query(
        `UPDATE keys.requests SET state = $4, signatures = $5, done_at = $6
          WHERE request_id = $1 AND state = $2 AND jsonb_array_length(signatures) = $3`,
        [
          requestId,
          from.state,
          from.signaturesCount,
          to.state,
          JSON.stringify(to.signatures),
          to.doneAtMs === undefined ? null : new Date(to.doneAtMs),
        ],
      );
      return rowCount === 1;
    },
  };
}
