// SPDX-License-Identifier: Apache-2.0
import {
  parseRolloutReport,
  parseRolloutRequest,
  parseRolloutStepRequest,
} from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { ControlError } from '../errors.ts';
import { answerOnce } from '../idempotency.ts';
import { ROLLOUTS_COUNT_MAX } from '../limits.ts';
import { readParam } from '../params.ts';
import { requireCell, requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { beginRollout, stepRollout, takeReport, toAnswer } from './rollout.ts';
import { findRollout, listRollouts } from './rollout-store.ts';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function readRolloutId(request: Parameters<typeof readParam>[0]): string {
  const rolloutId = readParam(request, 'rolloutId');
  if (UUID.test(rolloutId)) return rolloutId;
  throw new ControlError('CONTROL_INPUT_INVALID', 'the id of a rollout is a UUID');
}

export function registerRolloutRoutes(app: FastifyInstance, services: ControlServices): void {
  const { database, changes } = services;

  app.post('/v1/rollouts', async (request, reply) => {
    const operator = requireOperator(request);
    const body = parseRolloutRequest(request.body);
    const answer = await answerOnce(services, request, operator, async (tx) => ({
      status: 201,
      body: { ...(await beginRollout(services, tx, body)) },
    }));
    changes.announce();
    return reply.code(answer.status).send(answer.body);
  });

  app.get('/v1/rollouts', async (request) => {
    requireOperator(request);
    return await database.withTransaction(async (tx) => {
      const rollouts = await listRollouts(tx, { count: ROLLOUTS_COUNT_MAX });
      const items = [];
      for (const rollout of rollouts) items.push(await toAnswer(tx, rollout));
      return { items };
    });
  });

  app.get('/v1/rollouts/:rolloutId', async (request) => {
    requireOperator(request);
    const rolloutId = readRolloutId(request);
    return await database.withTransaction(async (tx) => {
      const rollout = await findRollout(tx, rolloutId);
      if (rollout !== undefined) return await toAnswer(tx, rollout);
      throw new ControlError('CONTROL_ROLLOUT_UNKNOWN', 'there is no such rollout');
    });
  });

  // A step names where it leads, so repeating it is a conflict and never a second step: it takes no key.
  app.post('/v1/rollouts/:rolloutId/steps', async (request, reply) => {
    requireOperator(request);
    const step = parseRolloutStepRequest(request.body);
    return reply.code(201).send(await stepRollout(services, readRolloutId(request), step));
  });

  app.post('/v1/rollout-reports', async (request, reply) => {
    const cell = requireCell(request);
    await takeReport(services, cell, parseRolloutReport(request.body));
    return reply.code(204).send();
  });
}
