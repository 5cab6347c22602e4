// SPDX-License-Identifier: Apache-2.0
// Changes of the charter. Serials only grow: a rollback is the old text under a new serial, and the
// suspension of a mechanism is a new text in which that mechanism has ended. Whether a change widens
// anything is each cell's own finding, not ours.
import {
  CharterError,
  type CompiledCharter,
  compileCharter,
  parseCharter,
} from '@bailiwick/charter';
import type { CharterAnswer, CharterRequest } from '@bailiwick/contracts';
import { toInstant } from '@bailiwick/kernel';
import { isMap, parseDocument } from 'yaml';
import { checkApprovals, insertApprovals, sha256Hex } from '../approvals.ts';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import type { ControlServices, Transaction } from '../services.ts';
import { findCharter, insertCharter, type StoredCharter } from './charter-store.ts';

/** Compiles a text, or says where it is wrong. @throws {ControlError} `CONTROL_CHARTER_INVALID` */
export function compileText(text: string): CompiledCharter {
  try {
    return compileCharter(parseCharter(text), { sha256: sha256Hex });
  } catch (cause) {
    if (!(cause instanceof CharterError)) throw cause;
    throw new ControlError('CONTROL_CHARTER_INVALID', 'see `errors`', {
      cause,
      places: cause.problems.slice(0, 20).map(({ pointer, line, column, message }) => ({
        pointer,
        detail: `line ${line}, column ${column}: ${message}`,
      })),
    });
  }
}

/** Writers of the charter take turns. */
async function lockCharter(tx: Transaction): Promise<void> {
  await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('control.charters', 0))`);
}

async function put(
  services: ControlServices,
  tx: Transaction,
  request: CharterRequest,
): Promise<CharterAnswer> {
  const { text, serial, approvals = [] } = request;
  const compiled = compileText(text);
  const textHash = sha256Hex(text);
  const subject = { subject: 'charter', serial, hash: textHash } as const;
  const envelopes = checkApprovals(approvals, subject);
  const stored: StoredCharter = { serial, text, textHash, freshForMs: compiled.freshForMs };
  await insertCharter(tx, stored);
  await insertApprovals(tx, subject, envelopes);
  await services.changes.mark(tx);
  return { serial, text, textHash };
}

/**
 * Puts a charter under the serial that the caller expects to be next.
 *
 * @throws {ControlError} `CONTROL_SERIAL_CONFLICT`, `CONTROL_CHARTER_INVALID`,
 *   `CONTROL_APPROVAL_INVALID`, `CONTROL_PERSONAL_DATA_REFUSED`
 */
export async function putCharter(
  services: ControlServices,
  request: CharterRequest,
): Promise<CharterAnswer> {
  refusePersonalData({ text: request.text }, { profile: 'prose' });
  const answer = await services.database.withTransaction(async (tx) => {
    await lockCharter(tx);
    const current = await findCharter(tx);
    const next = (current?.serial ?? 0) + 1;
    if (request.serial !== next) {
      throw new ControlError('CONTROL_SERIAL_CONFLICT', `the next serial is \`${next}\``, {
        details: { next },
      });
    }
    return await put(services, tx, request);
  });
  services.changes.announce();
  services.log.info('a charter was put', { serial: answer.serial, hash: answer.textHash });
  return answer;
}

/** The text in which a mechanism is suspended from this instant on; comments and order stay. */
export function suspendInText(text: string, mechanism: string, atMs: number): string {
  const document = parseDocument(text);
  const clause = document.getIn(['mechanisms', mechanism]);
  if (!isMap(clause)) {
    throw new ControlError('CONTROL_MECHANISM_UNKNOWN', 'the charter names no such mechanism');
  }
  clause.set('suspendedFrom', toInstant(atMs));
  return document.toString({ lineWidth: 0 });
}

/**
 * Suspends a mechanism now, the day a framework is struck down: narrowing, so no approval is needed.
 *
 * @throws {ControlError} `CONTROL_CHARTER_ABSENT`, `CONTROL_MECHANISM_UNKNOWN`
 */
export async function suspendMechanism(
  services: ControlServices,
  mechanism: string,
): Promise<CharterAnswer> {
  const answer = await services.database.withTransaction(async (tx) => {
    await lockCharter(tx);
    const current = await findCharter(tx);
    if (current === undefined) throw new ControlError('CONTROL_CHARTER_ABSENT', 'no charter yet');
    const text = suspendInText(current.text, mechanism, services.clock.nowMs());
    return await put(services, tx, { text, serial: current.serial + 1 });
  });
  services.changes.announce();
  services.log.warn('a transfer mechanism was suspended', { serial: answer.serial });
  return answer;
}
