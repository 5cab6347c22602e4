// SPDX-License-Identifier: Apache-2.0
// Commands about people's rights: what they said, what holds of them, what courts and authorities ask.
import type { Command } from 'commander';
import { lazy } from './lazy.ts';

const SUBJECT = '--subject <file>';
const SUBJECT_WORDS = 'the application’s own id of the person; `-` reads stdin';

/** Adds them to the program. */
export function registerRights(program: Command): void {
  registerWords(program);
  registerHolds(program);
  registerOrders(program);
  registerRetention(program);
  registerRequests(program);
}

function registerWords(program: Command): void {
  const consent = program.command('consent').description('what a person has agreed to');
  for (const [verb, state] of [
    ['give', 'given'],
    ['withdraw', 'withdrawn'],
  ] as const) {
    consent
      .command(`${verb} <residency>`)
      .description(`record consent as ${state}; it holds from the next decision on`)
      .requiredOption(SUBJECT, SUBJECT_WORDS)
      .requiredOption('--for <purpose>', 'a purpose of the charter')
      .action(lazy(async () => (await import('./subject.ts')).runConsent(state)));
  }
  const objection = program.command('objection').description('objections to a purpose');
  for (const [verb, state] of [
    ['uphold', 'upheld'],
    ['dismiss', 'dismissed'],
  ] as const) {
    objection
      .command(`${verb} <residency>`)
      .requiredOption(SUBJECT, SUBJECT_WORDS)
      .requiredOption('--for <purpose>', 'a purpose of the charter')
      .action(lazy(async () => (await import('./subject.ts')).runObjection(state)));
  }
  const restriction = program.command('restriction').description('data that is kept and not used');
  restriction
    .command('place <residency>')
    .requiredOption(SUBJECT, SUBJECT_WORDS)
    .requiredOption('--ground <ground>', 'accuracy-contested, unlawful, claims, objection-pending')
    .action(lazy(async () => (await import('./subject.ts')).runRestriction('restricted')));
  restriction
    .command('lift <residency>')
    .requiredOption(SUBJECT, SUBJECT_WORDS)
    .action(lazy(async () => (await import('./subject.ts')).runRestriction('lifted')));
  const subject = program.command('subject').description('what holds of a person');
  subject
    .command('show <residency>')
    .description('consents, objections, restriction, holds, events, and their history')
    .requiredOption(SUBJECT, SUBJECT_WORDS)
    .action(lazy(async () => (await import('./subject.ts')).runSubjectShow));
  subject
    .command('event <residency>')
    .description('an event from which retention counts')
    .requiredOption(SUBJECT, SUBJECT_WORDS)
    .requiredOption('--event <event>', 'last-activity or contract-end')
    .requiredOption('--at <instant>', 'such as 2026-01-31T00:00:00Z')
    .action(lazy(async () => (await import('./subject.ts')).runSubjectEvent));
}

function registerHolds(program: Command): void {
  const hold = program.command('hold').description('legal holds: what must be kept');
  hold
    .command('place <residency>')
    .description('on a person, or on collections and categories; all of it where nothing is named')
    .requiredOption('--reference <reference>', 'file number; never a name')
    .option(SUBJECT, SUBJECT_WORDS)
    .option('--collections <list>', 'such as customers,orders')
    .option('--categories <list>', 'such as transactional,contact')
    .action(lazy(async () => (await import('./hold.ts')).runHoldPlace));
  hold
    .command('list <residency>')
    .action(lazy(async () => (await import('./hold.ts')).runHoldList));
  hold
    .command('release <residency> <holdId>')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./hold.ts')).runHoldRelease));
}

function registerRequests(program: Command): void {
  const request = program
    .command('request')
    .description('what people ask for under their rights, with its clock');
  request
    .command('create <residency>')
    .description('write a request down on the day it arrives')
    .requiredOption('--kind <kind>', 'access, rectification, restriction, objection, erasure')
    .requiredOption(SUBJECT, SUBJECT_WORDS)
    .option('--against <purpose>', 'of an objection: the purpose')
    .option('--ground <ground>', 'of a restriction')
    .action(lazy(async () => (await import('./request.ts')).runRequestCreate));
  request
    .command('list <residency>')
    .description('open ones first, the most urgent at the top')
    .action(lazy(async () => (await import('./request.ts')).runRequestList));
  for (const [verb, words] of [
    ['show', 'as it stands'],
    ['verify', 'say that somebody has made sure who asks'],
    ['extend', 'put the answer off, once, where the law lets you'],
    ['execute', 'carry it out'],
  ] as const) {
    request
      .command(`${verb} <residency> <requestId>`)
      .description(words)
      .option('--yes', 'do not ask')
      .action(lazy(async () => (await import('./request.ts')).runRequestStep(verb)));
  }
  request
    .command('refuse <residency> <requestId>')
    .requiredOption(
      '--ground <ground>',
      'identity-unverified, manifestly-unfounded, excessive, overriding-grounds, not-our-data',
    )
    .option('--reference <reference>', 'file number; never a name')
    .action(lazy(async () => (await import('./request.ts')).runRequestRefuse));
  request
    .command('rectify <residency> <requestId>')
    .description('put a record right, under a verified request')
    .requiredOption('--change <file>', '`collection`, `recordId`, `fields`; `-` reads stdin')
    .action(lazy(async () => (await import('./request.ts')).runRequestRectify));
  request
    .command('export <residency> <requestId>')
    .description('everything about the person, under a completed request for access')
    .requiredOption('--output <file>', 'must not exist')
    .option('--format <format>', 'json or markdown', 'json')
    .action(lazy(async () => (await import('./request.ts')).runRequestExport));
}

function registerRetention(program: Command): void {
  const retention = program.command('retention').description('how long data is kept');
  retention
    .command('show <residency>')
    .description('the term of each field set, who set it, and whether it is a duty')
    .action(lazy(async () => (await import('./retention.ts')).runRetentionShow));
  retention
    .command('run <residency>')
    .description('remove what has served its time; the cell does so by itself once a day')
    .option('--dry-run', 'tell what would go, and remove nothing')
    .option('--collection <id>', 'this collection only')
    .option('--wait <seconds>', 'how long to wait for its end', '600')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./retention.ts')).runRetentionRun));
  retention
    .command('runs <residency>')
    .description('the newest runs')
    .action(lazy(async () => (await import('./retention.ts')).runRetentionRuns));
}

function registerOrders(program: Command): void {
  const order = program
    .command('order')
    .description('legal orders: freeze, read-only or suspend, at once and reversible');
  order
    .command('place <residency>')
    .requiredOption('--measure <measure>', 'freeze, read-only or suspend')
    .requiredOption('--reference <reference>', 'file number; never a name')
    .option('--jurisdiction <jurisdiction>', 'only data collected there')
    .option(SUBJECT, `only one person: ${SUBJECT_WORDS}`)
    .option('--as-operator', 'for every tenant of the cell, or for --tenant')
    .option('--tenant <tenantId>', 'with --as-operator: this tenant only')
    .option('--yes', 'do not ask')
    .action(lazy(async () => (await import('./hold.ts')).runOrderPlace));
  order
    .command('list <residency>')
    .action(lazy(async () => (await import('./hold.ts')).runOrderList));
  order
    .command('revoke <residency> <orderId>')
    .option('--as-operator', 'an order that an operator placed')
    .option('--tenant <tenantId>', 'with --as-operator: of this tenant')
    .action(lazy(async () => (await import('./hold.ts')).runOrderRevoke));
}
