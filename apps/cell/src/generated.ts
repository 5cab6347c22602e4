// SPDX-License-Identifier: Apache-2.0
// The OpenAPI document out of the routes themselves, and the reference of errors out of their table. Nothing is opened and nothing listens: routes only
// keep what they are given, so hollow parts do.
import Fastify from 'fastify';
import { toErrorReference } from './error-reference.ts';
import { registerPublicRoutes } from './routes.ts';
import type { SignInPorts } from './sign-ins/routes.ts';

/** A part that can be kept and asked for parts of its own, and does nothing. */
function createHollow(): unknown {
  const target = (): unknown => hollow;
  const hollow: unknown = new Proxy(target, {
    get: (_target, key) => (key === 'then' || typeof key === 'symbol' ? undefined : hollow),
  });
  return hollow;
}

/** Path from the root to text. */
export async function generate(): Promise<Readonly<Record<string, string>>> {
  const app = Fastify({ logger: false });
  const parts = createHollow() as Parameters<typeof registerPublicRoutes>[1];
  await registerPublicRoutes(app, {
    runtime: parts.runtime,
    ledger: parts.ledger,
    keys: parts.keys,
    witnesses: parts.witnesses,
    tokens: parts.tokens,
    portal: { signIns: createHollow() as SignInPorts, files: new Map() },
  });
  await app.ready();
  const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
  await app.close();
  return { 'schemas/openapi.json': text, 'docs/reference/errors.md': toErrorReference() };
}
