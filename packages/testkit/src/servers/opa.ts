// SPDX-License-Identifier: Apache-2.0
// An OPA server as its REST API describes it (openpolicyagent.org, "REST API", Data API): `POST /v1/data/…`
// with `{"input": …}`, 200 with `{"result": …}`, 200 with `{}` where the document is undefined, 400 with a code
// for a body that is not JSON, 401 without the token it was started with. The documents are functions here.
import {
  type FaultyServer,
  type HttpAnswer,
  type HttpQuestion,
  startFaultyServer,
} from './faulty-server.ts';

export interface OpaServer {
  readonly server: FaultyServer;
  /** Inputs seen, newest last. */
  readonly inputs: readonly unknown[];
}

export interface OpaServerOptions {
  /** By path: `house/allow`. `undefined` is an undefined document; what it throws is an internal error. */
  readonly documents: Readonly<Record<string, (input: unknown) => unknown>>;
  readonly token?: string;
  readonly tls?: { readonly cert: string; readonly key: string };
}

const say = (status: number, value: unknown): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

function evaluate(document: ((input: unknown) => unknown) | undefined, input: unknown): HttpAnswer {
  try {
    const result = document?.(input);
    return say(200, result === undefined ? {} : { result });
  } catch {
    return say(500, {
      code: 'internal_error',
      message: 'error(s) occurred while evaluating query',
    });
  }
}

/** Starts one on a free port of the loopback address. */
export async function startOpaServer(options: OpaServerOptions): Promise<OpaServer> {
  const inputs: unknown[] = [];
  const answer = ({ method, path, headers, body }: HttpQuestion): HttpAnswer => {
    const { token, documents } = options;
    if (token !== undefined && headers.authorization !== `Bearer ${token}`) {
      return say(401, {
        code: 'unauthorized',
        message: 'request rejected by administrative policy',
      });
    }
    if (method !== 'POST' || !path.startsWith('/v1/data/')) {
      return say(404, { code: 'not_found', message: 'path not found' });
    }
    let value: { readonly input?: unknown };
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch {
      return say(400, {
        code: 'invalid_parameter',
        message: 'body contains malformed input document',
      });
    }
    inputs.push(value.input);
    return evaluate(documents[path.slice('/v1/data/'.length)], value.input);
  };
  const server = await startFaultyServer({
    answer,
    throttled: say(503, { code: 'unavailable', message: 'try again' }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  return { server, inputs };
}
