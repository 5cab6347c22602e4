// SPDX-License-Identifier: Apache-2.0
// `bailiwick consent`, `objection`, `restriction`, `subject`: what a person has said, and what holds of
// them. The person's id comes from a file or stdin, never from an argument.
import { type StandingChangeAnswer, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { argument, readInput } from './input.ts';
import type { Input } from './run.ts';

/** The application's own id of the person. @throws {CliError} `CLI_USAGE_WRONG` */
export function readSubject(options: Input['options']): string {
  const subject = readInput(String(options['subject']), 'the subject’s id').trim();
  if (subject !== '') return subject;
  throw new CliError('CLI_USAGE_WRONG', 'the subject’s id is empty');
}

function report({ output }: Context, change: StandingChangeAnswer, done: string): void {
  output.result({ v: 1, ...change }, () =>
    change.isChanged
      ? `${done}: subject ${change.subjectId}, entry ${change.entryId}`
      : `nothing changed: it was so already (subject ${change.subjectId})`,
  );
}

/** Runs `bailiwick consent give|withdraw <residency>`. */
export function runConsent(state: 'given' | 'withdrawn') {
  return async (context: Context, { args, options }: Input): Promise<void> => {
    const cell = await context.cell(argument(args, 0));
    const purpose = String(options['for']);
    const consent = { subject: readSubject(options), purpose, state };
    report(context, unwrap(await cell.rights.consent(consent)), `consent to ${purpose} ${state}`);
  };
}

/** Runs `bailiwick objection uphold|dismiss <residency>`. */
export function runObjection(state: 'upheld' | 'dismissed') {
  return async (context: Context, { args, options }: Input): Promise<void> => {
    const cell = await context.cell(argument(args, 0));
    const purpose = String(options['for']);
    const objection = { subject: readSubject(options), purpose, state };
    report(
      context,
      unwrap(await cell.rights.object(objection)),
      `objection to ${purpose} ${state}`,
    );
  };
}

/** Runs `bailiwick restriction place|lift <residency>`. */
export function runRestriction(state: 'restricted' | 'lifted') {
  return async (context: Context, { args, options }: Input): Promise<void> => {
    const cell = await context.cell(argument(args, 0));
    const ground = options['ground'];
    const restriction = {
      subject: readSubject(options),
      state,
      ...(ground === undefined ? {} : { ground: toGround(String(ground)) }),
    };
    report(context, unwrap(await cell.rights.restrict(restriction)), `processing ${state}`);
  };
}

const GROUNDS = ['accuracy-contested', 'unlawful', 'claims', 'objection-pending'] as const;

function toGround(text: string): (typeof GROUNDS)[number] {
  const found = GROUNDS.find((one) => one === text);
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', `the ground is one of ${GROUNDS.join(', ')}`);
}

/** Runs `bailiwick subject event <residency>`. */
export async function runSubjectEvent(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const event = options['event'];
  if (event !== 'last-activity' && event !== 'contract-end') {
    throw new CliError('CLI_USAGE_WRONG', 'the event is last-activity or contract-end');
  }
  const at = String(options['at']);
  const subject = readSubject(options);
  report(context, unwrap(await cell.rights.event({ subject, event, at })), `${event} at ${at}`);
}

/** Runs `bailiwick subject show <residency>`. */
export async function runSubjectShow(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const standing = unwrap(await cell.rights.show(readSubject(options)));
  context.output.result({ v: 1, standing }, () => {
    const { subjectId, consents, objections, restriction, holds, events, history } = standing;
    const lines = [`subject ${subjectId}`];
    for (const [purpose, { state, at }] of Object.entries(consents)) {
      lines.push(`consent to ${purpose}: ${state} ${at}`);
    }
    for (const [purpose, { at }] of Object.entries(objections)) {
      lines.push(`objection to ${purpose}: upheld ${at}`);
    }
    if (restriction !== undefined)
      lines.push(`restricted (${restriction.ground}) ${restriction.at}`);
    for (const hold of holds)
      lines.push(`hold ${hold.holdId} (${hold.reference}) ${hold.placedAt}`);
    for (const [event, at] of Object.entries(events)) lines.push(`${event}: ${at}`);
    if (lines.length === 1) lines.push('nothing holds of this person beside the labels');
    for (const { serial, kind, purpose = '', changedAt, entryId } of history) {
      lines.push(`  ${serial}. ${kind} ${purpose} ${changedAt}, entry ${entryId}`);
    }
    return lines.join('\n');
  });
}
