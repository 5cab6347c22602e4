// SPDX-License-Identifier: Apache-2.0
// What a client needs of the charter: where the data of each country lives, what is refused and why, and
// the words that there are.
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellServices, LawInForce } from '../services.ts';

const summaries = new WeakMap<LawInForce, ReturnType<typeof summarise>>();

const HomeSchema = Type.Object({
  cell: Type.String(),
  residency: Type.String(),
  regimes: Type.Array(Type.String()),
});
const AnswerSchema = Type.Object({
  hash: Type.String(),
  serial: Type.Integer(),
  freshForMs: Type.Integer(),
  isFresh: Type.Boolean(),
  routes: Type.Record(Type.String(), HomeSchema),
  refused: Type.Record(Type.String(), Type.Object({ because: Type.String() })),
  names: Type.Record(Type.String(), Type.String()),
  residencies: Type.Array(Type.String()),
  purposes: Type.Array(Type.String()),
  categories: Type.Array(Type.String()),
  roles: Type.Array(Type.String()),
  mechanisms: Type.Array(Type.String()),
});

/** `GET /v1/charter` */
export function registerCharterRoutes(app: FastifyInstance, services: CellServices): void {
  app.get(
    '/v1/charter',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'The charter in force: routes, names, words, freshness',
        tags: ['charter'],
        response: { 200: AnswerSchema },
      },
    },
    async () => {
      const law = services.law.current();
      const summary = summaries.get(law) ?? summarise(law);
      summaries.set(law, summary);
      return { ...summary, isFresh: services.law.isFresh() };
    },
  );
}

function summarise({ charter, hash, serial }: LawInForce) {
  const routes: Record<string, { cell: string; residency: string; regimes: readonly string[] }> =
    {};
  const refused: Record<string, { because: string }> = {};
  for (const [origin, home] of charter.homes) {
    if (home.ok) {
      routes[origin] = { cell: home.cellId, residency: home.residency, regimes: home.regimes };
    } else refused[origin] = { because: home.because };
  }
  return {
    hash,
    serial,
    freshForMs: charter.freshForMs,
    routes,
    refused,
    names: Object.fromEntries(charter.names),
    residencies: charter.residencies,
    purposes: charter.purposes,
    categories: charter.categories,
    roles: charter.roles,
    mechanisms: charter.mechanisms.map(({ id }) => id),
  };
}
