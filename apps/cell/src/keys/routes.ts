// SPDX-License-Identifier: Apache-2.0
// The customer's own view of its keys and its switch. These routes answer while the key is disabled.
import { ProblemSchema } from '@bailiwick/contracts';
import { parseKeyId, toInstant } from '@bailiwick/kernel';
import type { FastifyInstance } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { KeyAdministration } from '../key-service/api.ts';
import type { CellServices } from '../services.ts';
import { changeKey } from './change-key.ts';
import { requireKeySight } from './roles.ts';

interface KeyParams {
  readonly keyId: string;
}

const Text: TSchema = Type.String();
const KeyParamsSchema: TSchema = Type.Object({ keyId: Type.String({ maxLength: 36 }) });

/** Schema of a key as its tenant sees it. */
export const KeyDescriptionSchema: TSchema = Type.Object({
  keyId: Text,
  kind: Text,
  version: Type.Integer(),
  state: Text,
  provider: Text,
  providerName: Text,
  stalenessMs: Type.Integer(),
  createdAt: Text,
  changedAt: Text,
  subjectsCount: Type.Integer(),
});

/** Schema of a signed statement. */
export const SignedStatementSchema: TSchema = Type.Object({
  body: Text,
  publicKey: Text,
  signature: Text,
});

const KeyChangeSchema: TSchema = Type.Object({
  changeId: Text,
  keyId: Text,
  kind: Text,
  state: Text,
  acceptedAt: Text,
  effectiveAt: Type.Optional(Text),
  receipts: Type.Array(SignedStatementSchema),
  entries: Type.Array(Text),
});

const ACTIONS = [
  { noun: 'disablements', to: 'disabled', summary: 'Disable the customer key' },
  { noun: 'enablements', to: 'enabled', summary: 'Enable the customer key' },
] as const;

/** `GET /v1/keys`, `POST /v1/keys/{keyId}/disablements`, `POST /v1/keys/{keyId}/enablements` */
export function registerKeyRoutes(
  app: FastifyInstance,
  services: CellServices,
  administration: KeyAdministration,
): void {
  app.get(
    '/v1/keys',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'The keys of the tenant in this cell',
        tags: ['keys'],
        response: {
          200: Type.Object({ items: Type.Array(KeyDescriptionSchema) }),
          default: ProblemSchema,
        },
      },
    },
    async ({ credential }) => {
      requireKeySight(credential);
      const keys = await administration.describeKeys(credential.tenantId);
      const items = keys.map(({ createdAtMs, changedAtMs, ...key }) => ({
        ...key,
        createdAt: toInstant(createdAtMs),
        changedAt: toInstant(changedAtMs),
      }));
      return { items };
    },
  );
  for (const { noun, to, summary } of ACTIONS) {
    app.post<{ Params: KeyParams }>(
      `/v1/keys/:keyId/${noun}`,
      {
        config: { carriesPlaintext: false },
        schema: {
          summary,
          tags: ['keys'],
          params: KeyParamsSchema,
          body: Type.Optional(Type.Object({}, { additionalProperties: false })),
          response: { 200: KeyChangeSchema, default: ProblemSchema },
        },
      },
      (request) =>
        changeKey(services, administration, {
          credential: request.credential,
          keyId: parseKeyId(request.params.keyId),
          to,
          requestId: request.id,
        }),
    );
  }
}
