// SPDX-License-Identifier: Apache-2.0
// Calls a record cell as one account, without a socket.
import type { RecordCell } from './record-cell.ts';

/** An answer with its body read. */
export interface Answer {
  readonly status: number;
  /** The body as JSON: tests look into it as they please. */
  readonly body: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

export type Caller = (
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>;

let keys = 0;

/** Calls as the account of a token. */
export function createCaller(cell: RecordCell, token: string): Caller {
  return async (method, path, body, headers = {}) => {
    keys += 1;
    const isRaw = typeof body === 'string' || Buffer.isBuffer(body);
    const response = await cell.app.inject({
      method,
      url: `/v1/collections/${path}`,
      headers: {
        host: 'localhost',
        authorization: `Bearer ${token}`,
        'idempotency-key': `key-${keys}`,
        ...(body === undefined || isRaw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { payload: isRaw ? body : JSON.stringify(body) }),
    });
    return {
      status: response.statusCode,
      body: parseObject(response.body),
      headers: response.headers,
      text: response.body,
    };
  };
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  return text === '' ? {} : (JSON.parse(text) as Readonly<Record<string, unknown>>);
}
