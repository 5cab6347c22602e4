// SPDX-License-Identifier: Apache-2.0
import { ProblemSchema } from '@bailiwick/contracts';
import { CALLER_ID_LENGTH_MAX } from '@bailiwick/keys';
import type { FastifyInstance } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { KeyAdministration } from '../key-service/api.ts';
import { SignedStatementSchema } from '../keys/routes.ts';
import type { CellServices } from '../services.ts';
import { eraseSubject } from './erase-subject.ts';

const Text: TSchema = Type.String();
const ErasureSchema: TSchema = Type.Object({
  erasureId: Text,
  subjectId: Text,
  state: Text,
  acceptedAt: Text,
  doneAt: Text,
  keyIds: Type.Array(Text),
  shredKeyIds: Type.Array(Text),
  survivorsCount: Type.Integer(),
  recordsCount: Type.Integer(),
  replicas: Type.Array(Type.Object({ replicaId: Text, publicKey: Text })),
  statements: Type.Array(SignedStatementSchema),
  caveats: Type.Array(Text),
  entries: Type.Array(Text),
});

/** `POST /v1/erasures`: erases a person by the caller's own id, which stands in the body only. */
export function registerErasureRoutes(
  app: FastifyInstance,
  services: CellServices,
  administration: KeyAdministration,
): void {
  app.post<{ Body: { readonly subject: string } }>(
    '/v1/erasures',
    {
      config: { carriesPlaintext: false },
      schema: {
        summary: 'Erase a person: destroy the keys of their data, and the records',
        tags: ['subjects'],
        body: Type.Object(
          { subject: Type.String({ minLength: 1, maxLength: CALLER_ID_LENGTH_MAX }) },
          { additionalProperties: false },
        ),
        response: { 200: ErasureSchema, default: ProblemSchema },
      },
    },
    (request) =>
      eraseSubject(services, administration, {
        credential: request.credential,
        subject: request.body.subject,
        statedPurpose: request.statedPurpose,
        requestId: request.id,
      }),
  );
}
