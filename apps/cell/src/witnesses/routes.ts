// SPDX-License-Identifier: Apache-2.0
// Witnesses over HTTP: the cosigned checkpoint and what this cell cosigned for others, for anybody; the
// C2SP tlog-witness door for other cells, on the internal listener.
import { createHash } from 'node:crypto';
import type { CellId } from '@bailiwick/kernel';
import { LedgerError, toVerifierKeyText } from '@bailiwick/ledger';
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { CellError } from '../errors.ts';
import { requireCell } from '../internal/peer.ts';
import type { CellRuntime } from '../runtime.ts';
import type { CellWitnesses } from './cell-witnesses.ts';
import { BODY_SIZE_BYTES_MAX } from './limits.ts';

const NOTE_TYPE = 'text/plain; charset=utf-8';
const open = { access: 'open', carriesPlaintext: false } as const;

/** `GET /v1/ledger/cosigned-checkpoint`, `GET /v1/witness/key`, `GET /v1/witness/{originHash}/checkpoint`. */
export function registerWitnessRoutes(app: FastifyInstance, witnesses: CellWitnesses): void {
  app.get(
    '/v1/ledger/cosigned-checkpoint',
    {
      config: open,
      schema: { summary: 'Newest checkpoint that witnesses cosigned', tags: ['ledger'] },
    },
    async (_request, reply) => {
      const found = await witnesses.findCosigned();
      if (found === undefined && !witnesses.hasCosigners) {
        throw new CellError('CELL_NOT_FOUND', 'nobody is configured to cosign this ledger');
      }
      if (found === undefined) {
        throw new LedgerError('LEDGER_CHECKPOINT_LATE', 'no witness has cosigned a checkpoint yet');
      }
      return reply.type(NOTE_TYPE).header('cache-control', 'no-cache').send(found.note);
    },
  );
  app.get(
    '/v1/witness/key',
    {
      config: open,
      schema: { summary: 'Key with which this cell cosigns, as a vkey', tags: ['ledger'] },
    },
    async (_request, reply) => {
      const { witness } = witnesses;
      if (witness === undefined) throw new CellError('CELL_NOT_FOUND', 'this cell cosigns nothing');
      return reply.type(NOTE_TYPE).send(`${toVerifierKeyText(witness.verifierKey)}\n`);
    },
  );
  app.get<{ Params: { originHash: string } }>(
    '/v1/witness/:originHash/checkpoint',
    {
      config: open,
      schema: {
        summary: 'What this cell last cosigned of a log, by the SHA-256 of its origin (C2SP)',
        tags: ['ledger'],
        params: Type.Object({ originHash: Type.String({ pattern: '^[0-9a-f]{64}$' }) }),
      },
    },
    async (request, reply) => {
      const note = await witnesses.witness?.findCheckpoint(request.params.originHash);
      if (note === undefined) throw new CellError('CELL_NOT_FOUND', 'nothing of it was cosigned');
      return reply.type(NOTE_TYPE).header('cache-control', 'no-cache').send(note);
    },
  );
}

/** `POST /internal/v1/witness/add-checkpoint` and `GET …/{originHash}/checkpoint` (c2sp.org/tlog-witness), for other cells. */
export function registerInternalWitnessRoutes(
  app: FastifyInstance,
  runtime: CellRuntime,
  { witness }: CellWitnesses,
): void {
  if (witness === undefined) return;
  const keepEvidence = createEvidenceKeeper();
  // A scope of its own: here a body is bytes whatever it calls itself, and small.
  app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    const options = { parseAs: 'buffer', bodyLimit: BODY_SIZE_BYTES_MAX } as const;
    scope.addContentTypeParser('*', options, (_request, body, done) => done(null, body));
    scope.post('/internal/v1/witness/add-checkpoint', async (request, reply) => {
      const cell = requireCell(request);
      const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      const answer = await witness.addCheckpoint(body);
      if (answer.evidence !== undefined) await keepEvidence(runtime, cell, answer.evidence);
      return reply.code(answer.status).type(answer.contentType).send(answer.body);
    });
    // What a cell that was restored asks: how far did its ledger go?
    scope.get<{ Params: { originHash: string } }>(
      '/internal/v1/witness/:originHash/checkpoint',
      async (request, reply) => {
        requireCell(request);
        const { originHash } = request.params;
        const isHash = /^[0-9a-f]{64}$/.test(originHash);
        const note = isHash ? await witness.findCheckpoint(originHash) : undefined;
        if (note === undefined) throw new CellError('CELL_NOT_FOUND', 'nothing of it was cosigned');
        return reply.type(NOTE_TYPE).send(note);
      },
    );
  });
}

/** Notes told once; more than this in one life of a process are only logged. */
const EVIDENCE_COUNT_MAX = 256;
const EVIDENCE_LENGTH_MAX = 4_096;

/** Puts a signed checkpoint that contradicts what was cosigned into this cell's own ledger, once. */
function createEvidenceKeeper(): (
  runtime: CellRuntime,
  cell: CellId,
  note: string,
) => Promise<void> {
  const told = new Set<string>();
  return async ({ log, entries }, cell, note) => {
    const hash = createHash('sha256').update(note, 'utf8').digest('hex');
    if (told.has(hash) || told.size >= EVIDENCE_COUNT_MAX) return;
    told.add(hash);
    log.error('a cell submitted what does not continue its ledger', { cell, hash });
    const text = Buffer.from(note, 'utf8').toString('base64url');
    await entries.record(undefined, {
      kind: 'observation',
      facts: {
        observed: 'ledger-contradiction',
        cell,
        checkpointHash: hash,
        ...(text.length > EVIDENCE_LENGTH_MAX ? {} : { checkpoint: text }),
      },
    });
  };
}
