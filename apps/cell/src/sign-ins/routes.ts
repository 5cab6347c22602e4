// SPDX-License-Identifier: Apache-2.0
// Sign-in of people: the browser is sent to the tenant's own identity provider and comes back with a code,
// which the cell redeems. The browser only ever holds a cookie that says nothing.
import { timingSafeEqual } from 'node:crypto';
import { ProblemSchema, UuidSchema } from '@bailiwick/contracts';
import { parseTenantId, type Random, type TenantId, toInstant } from '@bailiwick/kernel';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import { toActor } from '../keys/change-key.ts';
import { toProblem } from '../problem.ts';
import type { CellServices, Credential } from '../services.ts';
import { findCookie, SIGN_IN_COOKIE, toSessionCookie, toSignInCookie } from './cookies.ts';
import { SESSION_VALID_FOR_MS, SIGN_IN_VALID_FOR_MS } from './limits.ts';
import {
  createPendingSignIn,
  openSignIn,
  type PendingSignIn,
  sealSignIn,
  toCodeChallenge,
  toSignInKey,
} from './pending-sign-in.ts';
import {
  assertOwnPage,
  findResidency,
  findSessionToken,
  type SessionPorts,
} from './session-credentials.ts';
import { deleteSession, findSession, insertSession } from './session-store.ts';

export interface SignInPorts extends SessionPorts {
  readonly services: CellServices;
  readonly macKey: Parameters<typeof toSignInKey>[0];
  readonly random: Random;
}

interface SignInAnswer {
  readonly code?: string;
  readonly state?: string;
  readonly iss?: string;
  readonly error?: string;
}

const TOKEN_SIZE_BYTES = 32;
const PORTAL = '/portal/';
const open = { access: 'open', idempotency: 'none', carriesPlaintext: false } as const;
const Text = (maxLength: number) => Type.Optional(Type.String({ maxLength }));
const SessionSchema = Type.Object({
  tenant: UuidSchema,
  account: UuidSchema,
  kind: Type.String(),
  role: Type.String(),
  employer: Type.String(),
  assurance: Type.String(),
  place: Type.String(),
  purposes: Type.Array(Type.String()),
  residency: Type.String(),
  cell: Type.String(),
  expiresAt: Type.Optional(Type.String()),
});

/** `POST /v1/sign-ins`, `GET /v1/sign-in-answers`, `GET /v1/session`, `DELETE /v1/session` */
export function registerSignInRoutes(app: FastifyInstance, ports: SignInPorts): void {
  app.post<{ Body: { tenant: string } }>(
    '/v1/sign-ins',
    {
      config: open,
      schema: {
        summary: 'Begin the sign-in of a person: where to send the browser',
        tags: ['identity'],
        body: Type.Object({ tenant: UuidSchema }, { additionalProperties: false }),
        response: { 200: Type.Object({ location: Type.String() }), default: ProblemSchema },
      },
    },
    async (request, reply) => {
      assertOwnPage(request.headers, ports.origin);
      const { location, cookie } = await beginSignIn(ports, parseTenantId(request.body.tenant));
      return reply.header('set-cookie', cookie).send({ location });
    },
  );
  app.get<{ Querystring: SignInAnswer }>(
    '/v1/sign-in-answers',
    {
      config: open,
      schema: {
        summary: 'Where the identity provider sends the browser back to',
        tags: ['identity'],
        querystring: Type.Object({
          code: Text(4_096),
          state: Text(256),
          iss: Text(512),
          error: Text(256),
        }),
      },
    },
    (request, reply) => takeAnswer(ports, request, reply),
  );
  registerSessionRoutes(app, ports);
}

function registerSessionRoutes(app: FastifyInstance, ports: SignInPorts): void {
  const config = { carriesPlaintext: false } as const;
  app.get(
    '/v1/session',
    {
      config,
      schema: {
        summary: 'Who asks, as this cell knows them',
        tags: ['identity'],
        response: { 200: SessionSchema, default: ProblemSchema },
      },
    },
    async ({ credential, headers }) => {
      const { tenantId, defaultPurpose: _default, ...account } = credential;
      const own = headers.authorization === undefined ? findSessionToken(headers) : undefined;
      const nowMs = ports.clock.nowMs();
      const session = own && (await findSession(ports.database, { ...own, nowMs }));
      return {
        tenant: tenantId,
        ...account,
        cell: ports.cellId,
        ...(session === undefined ? {} : { expiresAt: toInstant(session.expiresAtMs) }),
      };
    },
  );
  app.delete(
    '/v1/session',
    {
      config,
      schema: {
        summary: 'Sign out of the portal',
        tags: ['identity'],
        response: { 204: Type.Null(), default: ProblemSchema },
      },
    },
    async ({ credential, headers, id }, reply) => {
      const own = headers.authorization === undefined ? findSessionToken(headers) : undefined;
      if (own === undefined) throw new CellError('CELL_NOT_FOUND', 'a token is no session');
      const entry = ports.services.entries.prepare(credential.tenantId, {
        kind: 'account',
        actor: toActor(credential),
        facts: { change: 'signed-out' },
        request: id,
      });
      await ports.database.withTenant(own.tenantId, async (tx) => {
        const isEnded = await deleteSession(tx, own);
        if (isEnded) await ports.services.entries.insertPrepared(tx, [entry]);
      });
      return reply
        .code(204)
        .header('set-cookie', toSessionCookie('', { maxAgeMs: 0 }))
        .send();
    },
  );
}

async function beginSignIn(
  ports: SignInPorts,
  tenantId: TenantId,
): Promise<{ readonly location: string; readonly cookie: string }> {
  const { tenants, signIns, clock, random } = ports;
  const client = signIns.clientOf(tenantId);
  const isServed = tenants.findTenant(tenantId)?.state !== 'suspended';
  // SECURITY: the same answer for a tenant that is not here: nobody learns which tenants a cell has.
  if (client === undefined || !isServed) {
    throw new CellError('CELL_SIGN_IN_ABSENT', 'no sign-in for people is set up for this tenant');
  }
  const expiresAtMs = clock.nowMs() + SIGN_IN_VALID_FOR_MS;
  const pending = createPendingSignIn(random, { tenantId, expiresAtMs });
  const { state, nonce } = pending;
  const codeChallenge = toCodeChallenge(pending);
  const location = await client.start({ state, nonce, codeChallenge });
  const sealed = sealSignIn(toSignInKey(ports.macKey), random, pending);
  return { location, cookie: toSignInCookie(sealed, { maxAgeMs: SIGN_IN_VALID_FOR_MS }) };
}

/** A browser asks, so a browser is answered: whatever goes wrong is told by the portal's own page. */
async function takeAnswer(
  ports: SignInPorts,
  request: FastifyRequest<{ Querystring: SignInAnswer }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const over = toSignInCookie('', { maxAgeMs: 0 });
  try {
    const session = await finishSignIn(ports, request);
    const cookie = toSessionCookie(session, { maxAgeMs: SESSION_VALID_FOR_MS });
    return reply.header('set-cookie', [over, cookie]).redirect(PORTAL, 303);
  } catch (error) {
    const { code, status } = toProblem(error);
    if (status === 500) ports.services.log.error('a sign-in failed inside', { error });
    return reply.header('set-cookie', over).redirect(`${PORTAL}?problem=${code}`, 303);
  }
}

async function finishSignIn(
  ports: SignInPorts,
  request: FastifyRequest<{ Querystring: SignInAnswer }>,
): Promise<string> {
  const { code, iss, error } = request.query;
  const nowMs = ports.clock.nowMs();
  const pending = findPending(ports, request, nowMs);
  const { tenantId, codeVerifier, nonce } = pending;
  // Another replica may have been told of a change: what a group means is read when it matters.
  await ports.signIns.refresh(tenantId, ports.services.law.current().termsOf(tenantId));
  const client = ports.signIns.clientOf(tenantId);
  const residency = findResidency(ports, tenantId);
  if (client === undefined || residency === undefined) {
    throw new CellError('CELL_SIGN_IN_ABSENT', 'no sign-in for people is set up for this tenant');
  }
  if (code === undefined || error !== undefined) {
    throw new CellError('CELL_SIGN_IN_INVALID', 'the identity provider signed nobody in');
  }
  const { account } = await client.finish({
    code,
    codeVerifier,
    nonce,
    ...(iss === undefined ? {} : { issuer: iss }),
  });
  const credential: Credential = { ...account, residency };
  const token = Buffer.from(ports.random.bytes(TOKEN_SIZE_BYTES)).toString('base64url');
  const entry = ports.services.entries.prepare(tenantId, {
    kind: 'account',
    actor: toActor(credential),
    facts: { change: 'signed-in', role: account.role },
    request: request.id,
  });
  await ports.database.withTenant(tenantId, async (tx) => {
    const place = { tenantId, token, nowMs };
    await insertSession(tx, place, { account, residency, issuer: client.issuer });
    await ports.services.entries.insertPrepared(tx, [entry]);
  });
  return `${tenantId}.${token}`;
}

/** SECURITY: the answer must be one to what this very browser asked, or somebody could sign it in as them. */
function findPending(
  ports: SignInPorts,
  { headers, query }: FastifyRequest<{ Querystring: SignInAnswer }>,
  nowMs: number,
): PendingSignIn {
  const sealed = findCookie(headers.cookie, SIGN_IN_COOKIE) ?? '';
  const pending = openSignIn(toSignInKey(ports.macKey), sealed, { nowMs });
  if (pending !== undefined && isSameText(query.state ?? '', pending.state)) return pending;
  throw new CellError('CELL_SIGN_IN_INVALID', 'the sign-in was not begun in this browser');
}

function isSameText(found: string, expected: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}
