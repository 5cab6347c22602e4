// SPDX-License-Identifier: Apache-2.0
// The third door: an application records that something happened: ids, hashes and counts only.
import { type EntriesRequest, EntriesRequestSchema } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { CellServices, Credential, EntryDraft } from '../services.ts';

/** `POST /v1/entries` (`GET /v1/entries/{id}` is the ledger's) */
export function registerEntryRoutes(app: FastifyInstance, services: CellServices): void {
  app.post<{ Body: EntriesRequest }>(
    '/v1/entries',
    {
      config: { idempotency: 'none', carriesPlaintext: false },
      schema: {
        summary: 'Enter observations of the caller’s own',
        tags: ['doors'],
        body: EntriesRequestSchema,
        response: {
          200: Type.Object({
            items: Type.Array(Type.Object({ entryId: Type.String(), leafHash: Type.String() })),
          }),
        },
      },
    },
    async (request) => {
      const { credential } = request;
      const actor = toActor(credential);
      const items = await Promise.all(
        request.body.entries.map(({ facts }) =>
          services.entries.record(credential.tenantId, {
            kind: 'observation',
            actor,
            facts,
            request: request.id,
          }),
        ),
      );
      return { items };
    },
  );
}

function toActor({
  account,
  kind,
  role,
  employer,
  assurance,
  place,
}: Credential): NonNullable<EntryDraft['actor']> {
  return { account, kind, role, employer, assurance, place };
}
