// SPDX-License-Identifier: Apache-2.0
// Asks any route of a record cell as one account, without a socket.
import { randomUUID } from 'node:crypto';
import type { RecordCell } from './record-cell.ts';

/** An answer with its body read. */
export interface Asked {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
  readonly text: string;
}

/** Asks once, with an idempotency key of its own. */
export async function ask(
  cell: RecordCell,
  token: string,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  url: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Asked> {
  const { body, headers = {} } = options;
  const isText = typeof body === 'string';
  const response = await cell.app.inject({
    method,
    url: `/v1/${url}`,
    headers: {
      host: 'localhost',
      authorization: `Bearer ${token}`,
      'idempotency-key': randomUUID(),
      ...(body === undefined || isText ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: isText ? body : JSON.stringify(body) }),
  });
  const text = response.body;
  const isJson = String(response.headers['content-type']).includes('json');
  return { status: response.statusCode, body: isJson && text !== '' ? JSON.parse(text) : {}, text };
}
