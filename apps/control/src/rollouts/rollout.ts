// SPDX-License-Identifier: Apache-2.0
// Brings a charter out step by step. The middle says which cell gets which charter and sums what cells
// count; it opens nothing by it: a candidate only narrows, and becoming law needs the approvals that any
// charter needs. Ending early is always the old charter under a new serial, so that nothing signed for the
// candidate's serial is worth anything afterwards.
import {
  CANARY_SHARE_BASIS_POINTS_DEFAULT,
  findPassedLimit,
  ROLLOUT_LIMITS_DEFAULT,
  type RolloutAnswer,
  type RolloutPhase,
  type RolloutReport,
  type RolloutRequest,
  type RolloutStepRequest,
  type RolloutStop,
} from '@bailiwick/contracts';
import { type CellId, createUuidV7, toInstant } from '@bailiwick/kernel';
import { checkApprovals, insertApprovals, sha256Hex } from '../approvals.ts';
import { findCell } from '../cells/cell-store.ts';
import {
  findCharter,
  findCharterAt,
  insertCharter,
  nextSerial,
  type StoredCharter,
} from '../charters/charter-store.ts';
import { compileText, lockCharter } from '../charters/charter-text.ts';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import type { ControlServices, Transaction } from '../services.ts';
import {
  findOpenRollout,
  findRollout,
  putReport,
  putRollout,
  type StoredRollout,
  sumReports,
} from './rollout-store.ts';

/** Steps forward; each may be skipped. */
const ORDER: readonly RolloutPhase[] = ['canary', 'canary-everywhere', 'first-cell', 'promoted'];

async function demandCharter(tx: Transaction): Promise<StoredCharter> {
  const charter = await findCharter(tx);
  if (charter !== undefined) return charter;
  throw new ControlError('CONTROL_CHARTER_ABSENT', 'no charter yet');
}

/** What an operator is told of a rollout. */
export async function toAnswer(tx: Transaction, rollout: StoredRollout): Promise<RolloutAnswer> {
  const { endedAt, stoppedBy } = rollout;
  return {
    rolloutId: rollout.rolloutId,
    serial: rollout.serial,
    textHash: rollout.textHash,
    firstCell: rollout.firstCell,
    phase: rollout.phase,
    shareBasisPoints: rollout.shareBasisPoints,
    limits: rollout.limits,
    base: { serial: rollout.baseSerial, textHash: rollout.baseHash },
    startedAt: rollout.startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(stoppedBy === undefined ? {} : { stoppedBy }),
    ...(await sumReports(tx, rollout.rolloutId)),
  };
}

/**
 * Begins a rollout in its first cell.
 *
 * @throws {ControlError} `CONTROL_ROLLOUT_CONFLICT`, `CONTROL_SERIAL_CONFLICT`, `CONTROL_CELL_UNKNOWN`,
 *   `CONTROL_CHARTER_INVALID`, `CONTROL_APPROVAL_INVALID`, `CONTROL_PERSONAL_DATA_REFUSED`
 */
export async function beginRollout(
  services: ControlServices,
  tx: Transaction,
  request: RolloutRequest,
): Promise<RolloutAnswer> {
  const { text, serial, firstCell, approvals = [], returnApprovals = [] } = request;
  refusePersonalData({ text }, { profile: 'prose' });
  await lockCharter(tx);
  const base = await demandCharter(tx);
  if ((await findOpenRollout(tx)) !== undefined) {
    throw new ControlError('CONTROL_ROLLOUT_CONFLICT', 'another rollout is under way');
  }
  const next = await nextSerial(tx);
  if (serial !== next) {
    throw new ControlError('CONTROL_SERIAL_CONFLICT', `the next serial is \`${next}\``);
  }
  if ((await findCell(tx, firstCell)) === undefined) {
    throw new ControlError('CONTROL_CELL_UNKNOWN', 'the first cell is not registered');
  }
  const compiled = compileText(text);
  const textHash = sha256Hex(text);
  const subject = { subject: 'charter', serial, hash: textHash } as const;
  const envelopes = checkApprovals(approvals, subject);
  const back = { subject: 'charter', serial: serial + 1, hash: base.textHash } as const;
  const rollout: StoredRollout = {
    rolloutId: createUuidV7(services),
    serial,
    text,
    textHash,
    freshForMs: compiled.freshForMs,
    firstCell,
    phase: 'canary',
    shareBasisPoints: request.shareBasisPoints ?? CANARY_SHARE_BASIS_POINTS_DEFAULT,
    limits: { ...ROLLOUT_LIMITS_DEFAULT, ...request.limits },
    baseSerial: base.serial,
    baseHash: base.textHash,
    returnApprovals: checkApprovals(returnApprovals, back),
    stoppedBy: undefined,
    startedAt: toInstant(services.clock.nowMs()),
    endedAt: undefined,
  };
  await putRollout(tx, rollout);
  await insertApprovals(tx, subject, envelopes);
  await services.changes.mark(tx);
  services.log.info('a rollout began', { serial });
  return await toAnswer(tx, rollout);
}

/**
 * Takes a rollout a step on, or back.
 *
 * @throws {ControlError} `CONTROL_ROLLOUT_UNKNOWN`, `CONTROL_ROLLOUT_CONFLICT`, `CONTROL_APPROVAL_INVALID`
 */
export async function stepRollout(
  services: ControlServices,
  rolloutId: string,
  { to, approvals = [] }: RolloutStepRequest,
): Promise<RolloutAnswer> {
  const answer = await services.database.withTransaction(async (tx) => {
    await lockCharter(tx);
    const rollout = await findRollout(tx, rolloutId);
    if (rollout === undefined) {
      throw new ControlError('CONTROL_ROLLOUT_UNKNOWN', 'there is no such rollout');
    }
    const stepped =
      to === 'rolled-back'
        ? await endRollout(services, tx, rollout, { phase: 'rolled-back', approvals })
        : await stepForward(services, tx, rollout, { to, approvals });
    await services.changes.mark(tx);
    return await toAnswer(tx, stepped);
  });
  services.changes.announce();
  services.log.info('a rollout took a step', { serial: answer.serial, kind: answer.phase });
  return answer;
}

async function stepForward(
  services: ControlServices,
  tx: Transaction,
  rollout: StoredRollout,
  step: { readonly to: RolloutPhase; readonly approvals: readonly unknown[] },
): Promise<StoredRollout> {
  const [from, to] = [ORDER.indexOf(rollout.phase), ORDER.indexOf(step.to)];
  if (from < 0 || rollout.phase === 'promoted' || to <= from) {
    throw new ControlError('CONTROL_ROLLOUT_CONFLICT', 'the rollout is past that step, or ended');
  }
  const { serial, text, textHash, freshForMs } = rollout;
  const subject = { subject: 'charter', serial, hash: textHash } as const;
  await insertApprovals(tx, subject, checkApprovals(step.approvals, subject));
  const isLast = step.to === 'promoted';
  if (isLast) await insertCharter(tx, { serial, text, textHash, freshForMs });
  const next: StoredRollout = {
    ...rollout,
    phase: step.to,
    endedAt: isLast ? toInstant(services.clock.nowMs()) : undefined,
  };
  await putRollout(tx, next);
  return next;
}

/** Ends a rollout: the charter before it is law again, under a new serial. */
async function endRollout(
  services: ControlServices,
  tx: Transaction,
  rollout: StoredRollout,
  end: {
    readonly phase: 'stopped' | 'rolled-back';
    readonly stoppedBy?: RolloutStop;
    readonly approvals?: readonly unknown[];
  },
): Promise<StoredRollout> {
  const current = await demandCharter(tx);
  const isOpen = ORDER.includes(rollout.phase) && rollout.phase !== 'promoted';
  const isLaw = rollout.phase === 'promoted' && current.serial === rollout.serial;
  if (!isOpen && !isLaw) {
    throw new ControlError('CONTROL_ROLLOUT_CONFLICT', 'the rollout has ended');
  }
  // While it is under way the charter before it may have changed (a suspension): that is the one to keep.
  const before = isLaw ? await findCharterAt(tx, rollout.baseSerial) : current;
  if (before === undefined) throw new Error('assertion failed: the charter before is kept');
  const serial = await nextSerial(tx);
  const subject = { subject: 'charter', serial, hash: before.textHash } as const;
  const isSigned = serial === rollout.serial + 1 && before.textHash === rollout.baseHash;
  const envelopes = checkApprovals(
    [...(isSigned ? rollout.returnApprovals : []), ...(end.approvals ?? [])],
    subject,
  );
  await insertCharter(tx, { ...before, serial });
  await insertApprovals(tx, subject, envelopes);
  const ended: StoredRollout = {
    ...rollout,
    phase: end.phase,
    stoppedBy: end.stoppedBy,
    endedAt: toInstant(services.clock.nowMs()),
  };
  await putRollout(tx, ended);
  return ended;
}

/** Takes what a cell counted, and ends the rollout where a limit was passed. */
export async function takeReport(
  services: ControlServices,
  cell: CellId,
  report: RolloutReport,
): Promise<void> {
  refusePersonalData({ kinds: report.kinds }, { profile: 'prose' });
  const stopped = await services.database.withTransaction(async (tx) => {
    await lockCharter(tx);
    const rollout = await findOpenRollout(tx);
    // A report that comes after the end is of no use to anybody.
    if (rollout === undefined || rollout.serial !== report.serial) return undefined;
    if (rollout.phase === 'first-cell') return undefined;
    await putReport(tx, { rolloutId: rollout.rolloutId, cell }, report);
    const { figures } = await sumReports(tx, rollout.rolloutId);
    const stoppedBy = report.stoppedBy ?? findPassedLimit(figures, rollout.limits);
    if (stoppedBy === undefined) return undefined;
    await endRollout(services, tx, rollout, { phase: 'stopped', stoppedBy });
    await services.changes.mark(tx);
    return stoppedBy;
  });
  if (stopped === undefined) return;
  services.changes.announce();
  services.log.warn('a rollout stopped by itself', { kind: stopped, serial: report.serial });
}

/** Gives the candidate of a rollout that goes on another text under a new serial. */
export async function replaceCandidate(
  tx: Transaction,
  rollout: StoredRollout,
  next: { readonly text: string; readonly serial: number; readonly baseSerial: number },
): Promise<void> {
  const { freshForMs } = compileText(next.text);
  const textHash = sha256Hex(next.text);
  // What was signed for the serial before says nothing about this one.
  await putRollout(tx, { ...rollout, ...next, textHash, freshForMs, returnApprovals: [] });
}
