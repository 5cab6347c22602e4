// SPDX-License-Identifier: Apache-2.0
// Backups over the internal listener, for operators. They are of the whole cell, so tenants have no route to
// them; what they hold stays sealed for operators too.
import type { BackupManifest } from '@bailiwick/backups';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import { requireOperator } from '../internal/peer.ts';
import type { CellBackups } from './backup-service.ts';

/** A backup may take longer than any other request: a terabyte is hours. */
const TAKE_MS_MAX = 21_600_000;

const RequestSchema = Type.Object(
  { kind: Type.Optional(Type.Union([Type.Literal('full'), Type.Literal('incremental')])) },
  { additionalProperties: false },
);

/** A backup as operators see it. */
function toShown(manifest: BackupManifest): object {
  const { backupId, kind, parent, at, finishedAt, retainUntil, ledger, tables } = manifest;
  return {
    backupId,
    kind,
    ...(parent === undefined ? {} : { parent }),
    ...{ at, finishedAt, retainUntil, ledger },
    rowsCount: tables.reduce((sum, { rowsCount }) => sum + rowsCount, 0),
    sizeBytes: tables.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    tables: tables.map(({ table, scope, rowsCount, sizeBytes }) => ({
      ...{ table, scope, rowsCount, sizeBytes },
    })),
  };
}

/** `POST /internal/v1/backups`, `GET /internal/v1/backups`, `POST /internal/v1/backups/{id}/verifications` */
export function registerBackupRoutes(app: FastifyInstance, backups: CellBackups | undefined): void {
  const require = (): CellBackups => {
    if (backups !== undefined) return backups;
    throw new CellError('CELL_NOT_FOUND', 'this cell is configured without backups');
  };
  app.post<{ Body: { readonly kind?: 'full' | 'incremental' } }>(
    '/internal/v1/backups',
    { schema: { body: RequestSchema }, handlerTimeout: TAKE_MS_MAX },
    async (request) => {
      const operator = requireOperator(request);
      const { kind = 'incremental' } = request.body;
      return toShown(await require().take({ kind, operator }));
    },
  );
  app.get('/internal/v1/backups', async (request) => {
    requireOperator(request);
    const items = await require().list();
    return { items: items.map(toShown), ledgerCopiedSize: require().ledgerCopy.size };
  });
  app.post<{ Params: { readonly backupId: string } }>(
    '/internal/v1/backups/:backupId/verifications',
    {
      schema: { params: Type.Object({ backupId: Type.String({ pattern: '^[0-9a-f-]{36}$' }) }) },
      handlerTimeout: TAKE_MS_MAX,
    },
    async (request) => {
      requireOperator(request);
      return { ...(await require().verify(request.params.backupId)), isIntact: true };
    },
  );
}
