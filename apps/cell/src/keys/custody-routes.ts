// SPDX-License-Identifier: Apache-2.0
// What a tenant's security team does with its keys besides the switch: rotate, report, ask for what two
// people must sign, sign it. These routes answer while the key is disabled.
import { ProblemSchema } from '@bailiwick/contracts';
import { parseEntryId, parseKeyId, toInstant } from '@bailiwick/kernel';
import { KeysError, type RotationRow } from '@bailiwick/keys';
import type { FastifyInstance } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { KeyAdministration, KeyReport, KeyRequest } from '../key-service/api.ts';
import { parseKeyAction } from '../key-service/key-requests.ts';
import type { CellServices } from '../services.ts';
import {
  cancelKeyAction,
  requestKeyAction,
  rotateKey,
  shortenStaleness,
  signKeyAction,
} from './custody-actions.ts';
import { requireKeySight, requireKeyTurn } from './roles.ts';

const Text: TSchema = Type.String();
const Count: TSchema = Type.Integer();
const Id: TSchema = Type.String({ maxLength: 36 });
const closed = { additionalProperties: false };
const Staleness: TSchema = Type.Integer({
  anyOf: [{ const: 0 }, { minimum: 5000 }],
  minimum: 0,
  maximum: 3_600_000,
});
const Nothing: TSchema = Type.Optional(Type.Object({}, closed));

const ActionSchema: TSchema = Type.Union([
  Type.Object({ kind: Type.Literal('end') }, closed),
  Type.Object(
    { kind: Type.Literal('destroy'), keyId: Id, version: Type.Integer({ minimum: 1 }) },
    closed,
  ),
  Type.Object(
    { kind: Type.Literal('move'), provider: Type.String({ pattern: '^[a-z0-9-]{1,63}$' }) },
    closed,
  ),
  Type.Object({ kind: Type.Literal('staleness'), stalenessMs: Staleness }, closed),
]);

/** Schema of a request that two people sign. */
export const KeyRequestSchema: TSchema = Type.Object({
  keyRequestId: Text,
  body: Text,
  state: Text,
  signedBy: Type.Array(Text),
  signaturesNeeded: Count,
  createdAt: Text,
  expiresAt: Text,
  doneAt: Type.Optional(Text),
});

/** Schema of a rotation. */
export const RotationSchema: TSchema = Type.Object({
  rotationId: Text,
  kind: Text,
  state: Text,
  fromVersion: Count,
  toVersion: Count,
  wrappedCount: Count,
  startedAt: Text,
  doneAt: Type.Optional(Text),
});

const ReportSchema: TSchema = Type.Object({
  customerKeys: Type.Array(
    Type.Object({
      keyId: Text,
      version: Count,
      provider: Text,
      providerName: Text,
      isCurrent: Type.Boolean(),
      tenantKeysCount: Count,
      isDestroyable: Type.Boolean(),
      createdAt: Text,
      retiredAt: Type.Optional(Text),
      destroyedAt: Type.Optional(Text),
    }),
  ),
  tenantKeys: Type.Array(
    Type.Object({
      keyId: Text,
      version: Count,
      customerKeyId: Text,
      subjectKeysCount: Count,
      shredKeysCount: Count,
      collectionKeysCount: Count,
      secretsCount: Count,
      isDestroyable: Type.Boolean(),
      createdAt: Text,
    }),
  ),
});

type Instants = Readonly<Record<string, string>>;
const instant = (name: string, ms: number | undefined): Instants =>
  ms === undefined ? {} : { [name]: toInstant(ms) };

function toRequestAnswer(request: KeyRequest): object {
  const { requestId, body, state, signedBy, signaturesNeeded } = request;
  return {
    ...{ keyRequestId: requestId, body, state, signedBy, signaturesNeeded },
    createdAt: toInstant(request.createdAtMs),
    expiresAt: toInstant(request.expiresAtMs),
    ...instant('doneAt', request.doneAtMs),
  };
}

function toRotationAnswer(rotation: RotationRow): object {
  const { rotationId, kind, state, fromVersion, toVersion, wrappedCount } = rotation;
  return {
    ...{ rotationId, kind, state, fromVersion, toVersion, wrappedCount },
    startedAt: toInstant(rotation.startedAtMs),
    ...instant('doneAt', rotation.doneAtMs),
  };
}

function toReportAnswer(report: KeyReport): object {
  return {
    customerKeys: report.customerKeys.map(
      ({ createdAtMs, retiredAtMs, destroyedAtMs, ...version }) => ({
        ...version,
        createdAt: toInstant(createdAtMs),
        ...instant('retiredAt', retiredAtMs),
        ...instant('destroyedAt', destroyedAtMs),
      }),
    ),
    tenantKeys: report.tenantKeys.map(({ createdAtMs, ...use }) => ({
      ...use,
      createdAt: toInstant(createdAtMs),
    })),
  };
}

/** Options of a route about keys: no plaintext leaves it. */
function about(
  summary: string,
  schema: Readonly<Record<string, unknown>>,
  answer: TSchema,
): object {
  return {
    config: { carriesPlaintext: false },
    schema: {
      summary,
      tags: ['keys'],
      ...schema,
      response: { 200: answer, default: ProblemSchema },
    },
  };
}

/** Everything of a tenant's custody: `/v1/key-requests`, `/v1/key-report`, rotations, staleness. */
export function registerCustodyRoutes(
  app: FastifyInstance,
  services: CellServices,
  administration: KeyAdministration,
): void {
  registerRequests(app, services, administration);
  registerRotations(app, services, administration);
  app.get(
    '/v1/key-report',
    about('What each version of the keys protects', {}, ReportSchema),
    async (request) => {
      requireKeySight(request.credential);
      return toReportAnswer(await administration.reportKeys(request.credential.tenantId));
    },
  );
  app.post<{ Body: { readonly stalenessMs: number } }>(
    '/v1/staleness-changes',
    about(
      'A shorter staleness; a longer one is a request',
      { body: Type.Object({ stalenessMs: Staleness }, closed) },
      Type.Object({ stalenessMs: Count }),
    ),
    async ({ credential, id, body }) => {
      const { stalenessMs } = body;
      await shortenStaleness(services, administration, { credential, requestId: id }, stalenessMs);
      return { stalenessMs };
    },
  );
}

function registerRequests(
  app: FastifyInstance,
  services: CellServices,
  administration: KeyAdministration,
): void {
  app.get(
    '/v1/key-requests',
    about(
      'Requests that two people sign, the newest first',
      {},
      Type.Object({ items: Type.Array(KeyRequestSchema) }),
    ),
    async ({ credential }) => {
      requireKeySight(credential);
      return {
        items: (await administration.listRequests(credential.tenantId)).map(toRequestAnswer),
      };
    },
  );
  app.post<{ Body: { readonly action: unknown } }>(
    '/v1/key-requests',
    about(
      'Ask for what two people must sign; answers with the text to be signed',
      { body: Type.Object({ action: ActionSchema }, closed) },
      KeyRequestSchema,
    ),
    async ({ credential, id, body }) => {
      const asker = { credential, requestId: id };
      const action = parseKeyAction(body.action);
      return toRequestAnswer(await requestKeyAction(services, administration, asker, action));
    },
  );
  const Params = Type.Object({ keyRequestId: Id });
  app.post<{
    Params: { readonly keyRequestId: string };
    Body: { readonly key: string; readonly signature: string };
  }>(
    '/v1/key-requests/:keyRequestId/signatures',
    about(
      'Sign a request; the second signature has it carried out',
      {
        params: Params,
        body: Type.Object(
          {
            key: Type.String({ pattern: '^[A-Za-z0-9+/]{43}=$' }),
            signature: Type.String({ pattern: '^[A-Za-z0-9+/]{86}==$' }),
          },
          closed,
        ),
      },
      KeyRequestSchema,
    ),
    async ({ credential, id, params, body }) => {
      const keyRequestId = parseEntryId(params.keyRequestId);
      const asker = { credential, requestId: id };
      const signed = { keyRequestId, ...body };
      return toRequestAnswer(await signKeyAction(services, administration, asker, signed));
    },
  );
  app.post<{ Params: { readonly keyRequestId: string } }>(
    '/v1/key-requests/:keyRequestId/cancellations',
    about('Take a request back', { params: Params, body: Nothing }, KeyRequestSchema),
    async ({ credential, id, params }) => {
      const keyRequestId = parseEntryId(params.keyRequestId);
      const asker = { credential, requestId: id };
      return toRequestAnswer(await cancelKeyAction(services, administration, asker, keyRequestId));
    },
  );
}

function registerRotations(
  app: FastifyInstance,
  services: CellServices,
  administration: KeyAdministration,
): void {
  app.post<{ Params: { readonly keyId: string } }>(
    '/v1/keys/:keyId/rotations',
    about(
      'A new version of a customer key or a tenant key: wraps change, data does not',
      { params: Type.Object({ keyId: Id }), body: Nothing },
      RotationSchema,
    ),
    async ({ credential, id, params }) => {
      requireKeyTurn(credential);
      const keyId = parseKeyId(params.keyId);
      const keys = await administration.describeKeys(credential.tenantId);
      const found = keys.find((key) => key.keyId === keyId);
      if (found === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such key');
      const asker = { credential, requestId: id };
      return toRotationAnswer(await rotateKey(services, administration, asker, found.kind));
    },
  );
  app.get<{ Params: { readonly rotationId: string } }>(
    '/v1/key-rotations/:rotationId',
    about('How far a rotation is', { params: Type.Object({ rotationId: Id }) }, RotationSchema),
    async ({ credential, params }) => {
      requireKeySight(credential);
      const rotationId = parseEntryId(params.rotationId);
      return toRotationAnswer(await administration.findRotation(rotationId, credential.tenantId));
    },
  );
}
