// SPDX-License-Identifier: Apache-2.0
// Operators ask a cell what a charter would mean for what lies in it. Asking is on record.
import { createHash } from 'node:crypto';
import {
  CharterError,
  type CompiledCharter,
  compileCharter,
  parseCharter,
} from '@bailiwick/charter';
import { type AssessmentRequest, AssessmentRequestSchema } from '@bailiwick/contracts';
import type { FastifyInstance } from 'fastify';
import { CellError } from '../errors.ts';
import { requireOperator } from '../internal/peer.ts';
import type { CellRuntime } from '../runtime.ts';
import { assessCharter } from './assess-charter.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** `POST /internal/v1/charter-assessments` */
export function registerAssessmentRoutes(app: FastifyInstance, runtime: CellRuntime): void {
  app.post<{ Body: AssessmentRequest }>(
    '/internal/v1/charter-assessments',
    { schema: { body: AssessmentRequestSchema } },
    async (request) => {
      const operator = requireOperator(request);
      const { text, against } = request.body;
      const before =
        against === undefined ? runtime.law.current().charter : compile(against, '/against');
      const answer = await assessCharter(runtime, { before, after: compile(text, '/text') });
      await runtime.entries.record(undefined, {
        kind: 'observation',
        facts: {
          what: 'charter-assessed',
          operator,
          before: answer.before.hash,
          after: answer.after.hash,
          records: answer.records,
        },
      });
      return answer;
    },
  );
}

function compile(text: string, pointer: string): CompiledCharter {
  try {
    return compileCharter(parseCharter(text), { sha256 });
  } catch (cause) {
    if (!(cause instanceof CharterError)) throw cause;
    throw new CellError('CELL_INPUT_INVALID', 'the charter is not valid', {
      cause,
      places: cause.problems.slice(0, 8).map(({ line, column, message }) => ({
        pointer,
        detail: `line ${line}, column ${column}: ${message}`,
      })),
    });
  }
}
