// SPDX-License-Identifier: Apache-2.0
// Changes of the charter. Serials only grow: a rollback is the old text under a new serial, and the
// suspension of a mechanism is a new text in which that mechanism has ended. Whether a change widens
// anything is each cell's own finding, not ours.
import { suspendMechanism as suspendInText } from '@bailiwick/charter';
import type { CharterAnswer, CharterRequest } from '@bailiwick/contracts';
import { toInstant } from '@bailiwick/kernel';
import { checkApprovals, insertApprovals, sha256Hex } from '../approvals.ts';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import { replaceCandidate } from '../rollouts/rollout.ts';
import { findOpenRollout } from '../rollouts/rollout-store.ts';
import type { ControlServices, Transaction } from '../services.ts';
import { findCharter, insertCharter, nextSerial, type StoredCharter } from './charter-store.ts';
import { compileText, lockCharter } from './charter-text.ts';

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
 * @throws {ControlError} `CONTROL_ROLLOUT_CONFLICT`, `CONTROL_SERIAL_CONFLICT`, `CONTROL_CHARTER_INVALID`,
 *   `CONTROL_APPROVAL_INVALID`, `CONTROL_PERSONAL_DATA_REFUSED`
 */
export async function putCharter(
  services: ControlServices,
  request: CharterRequest,
): Promise<CharterAnswer> {
  refusePersonalData({ text: request.text }, { profile: 'prose' });
  const answer = await services.database.withTransaction(async (tx) => {
    await lockCharter(tx);
    if ((await findOpenRollout(tx)) !== undefined) {
      throw new ControlError('CONTROL_ROLLOUT_CONFLICT', 'a rollout is under way: end it first');
    }
    const next = await nextSerial(tx);
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
    const at = toInstant(services.clock.nowMs());
    const text = suspendInText(current.text, mechanism, at);
    if (text === undefined) {
      throw new ControlError('CONTROL_MECHANISM_UNKNOWN', 'the charter names no such mechanism');
    }
    const rollout = await findOpenRollout(tx);
    const answer = await put(services, tx, { text, serial: await nextSerial(tx) });
    if (rollout !== undefined) {
      // A candidate on its way must not bring the mechanism back, and must stay newer than the law.
      const candidate = suspendInText(rollout.text, mechanism, at) ?? rollout.text;
      await replaceCandidate(tx, rollout, {
        text: candidate,
        serial: answer.serial + 1,
        baseSerial: answer.serial,
      });
    }
    return answer;
  });
  services.changes.announce();
  services.log.warn('a transfer mechanism was suspended', { serial: answer.serial });
  return answer;
}
