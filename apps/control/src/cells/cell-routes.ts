// SPDX-License-Identifier: Apache-2.0
// Cells: registered by operators; each cell announces its own signing key, once. Another key later is a
// conflict: replacing it is a change of trust, which an operator does with approvals.
import { parseCellRequest, parseSigningKeyRequest } from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import { parseSpiffeId } from '@bailiwick/pki';
import type { FastifyInstance } from 'fastify';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import { readParam } from '../params.ts';
import { findPeer, requireCell, requireOperator } from '../peer.ts';
import type { ControlServices } from '../services.ts';
import { announceKey, findCell, listCells, putCell } from './cell-store.ts';

const UNIQUE_VIOLATION = '23505';

export function registerCellRoutes(app: FastifyInstance, services: ControlServices): void {
  const { database, changes } = services;

  app.get('/v1/cells', async (request) => {
    requireOperator(request);
    return { items: await database.withTransaction(listCells) };
  });

  app.put('/v1/cells/:residency/:name', async (request, reply) => {
    requireOperator(request);
    const cell = parseCellId(`${readParam(request, 'residency')}/${readParam(request, 'name')}`);
    const body = parseCellRequest(request.body);
    refusePersonalData(body, { profile: 'prose' });
    const peer = findPeer(parseSpiffeId(body.spiffeId));
    if (peer?.kind !== 'cell' || peer.cell !== cell) {
      throw new ControlError('CONTROL_INPUT_INVALID', 'the spiffe id is not that of this cell', {
        places: [{ pointer: '/spiffeId', detail: `expected a path ending in \`/cell/${cell}\`` }],
      });
    }
    try {
      await database.withTransaction(async (tx) => {
        await putCell(tx, cell, body);
        await changes.mark(tx);
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      throw new ControlError('CONTROL_CELL_CONFLICT', 'the name or the spiffe id is in use');
    }
    changes.announce();
    return reply.code(204).send();
  });

  app.put('/v1/cells/:residency/:name/signing-key', async (request, reply) => {
    const cell = parseCellId(`${readParam(request, 'residency')}/${readParam(request, 'name')}`);
    requireCell(request, cell);
    const { key } = parseSigningKeyRequest(request.body);
    const isNew = await database.withTransaction(async (tx) => {
      const before = await findCell(tx, cell);
      const kept = await announceKey(tx, cell, key);
      if (kept === undefined) throw new ControlError('CONTROL_CELL_UNKNOWN', 'no such cell');
      // SECURITY: whoever gets hold of a cell's identity must not become the signer of its claims.
      if (kept !== key) throw new ControlError('CONTROL_KEY_CONFLICT', 'another key is known');
      if (before?.signingKey === key) return false;
      await changes.mark(tx);
      return true;
    });
    if (isNew) changes.announce();
    return reply.code(204).send();
  });
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}
