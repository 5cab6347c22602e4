// SPDX-License-Identifier: Apache-2.0
// `bailiwick transfer`: what leaves a cell, looked at, decided, signed for, and on record on both sides.
import { TRANSFER_APPROVAL_PAYLOAD_TYPE, type TransferApproval } from '@bailiwick/contracts';
import { toCanonicalJson } from '@bailiwick/kernel';
import { signDsse, toDsseSigner } from '@bailiwick/keys';
import {
  type TransferAnswer,
  type TransferPreview,
  type TransferRequest,
  unwrap,
} from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { readSigningKey } from './charter-approve.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';

const CREATE_MS_MAX = 60_000;

/** Runs `bailiwick transfer preview <residency> --draft <file>`. */
export async function runTransferPreview(
  context: Context,
  { args, options }: Input,
): Promise<void> {
  const draft = parseDraft(readMapping(String(options['draft']), 'the transfer'));
  const cell = await context.cell(argument(args, 0));
  const preview = unwrap(await cell.transfers.preview(draft, { deadlineMs: CREATE_MS_MAX }));
  context.output.result({ v: 1, preview }, () => toPreviewText(preview));
}

/** Runs `bailiwick transfer create <residency> --draft <file>`. */
export async function runTransferCreate(context: Context, { args, options }: Input): Promise<void> {
  const draft = parseDraft(readMapping(String(options['draft']), 'the transfer'));
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.transfers.create(draft, { deadlineMs: CREATE_MS_MAX })));
}

/** Runs `bailiwick transfer show <residency> <transferId>`. */
export async function runTransferShow(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.transfers.get(argument(args, 1))));
}

/** Runs `bailiwick transfer list <residency>`. */
export async function runTransferList(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.transfers.list());
  context.output.result({ v: 1, transfers: items }, () => items.map(toLine).join('\n'));
}

/** Runs `bailiwick transfer approve <residency> <transferId> --key-file <file>`. */
export async function runTransferApprove(
  context: Context,
  { args, options }: Input,
): Promise<void> {
  const key = readSigningKey(String(options['keyFile']));
  const cell = await context.cell(argument(args, 0));
  const transferId = argument(args, 1);
  const { requestHash, missingApprovals, approvalPlace } = unwrap(
    await cell.transfers.get(transferId),
  );
  if (requestHash === undefined || missingApprovals === undefined || approvalPlace === undefined) {
    throw new CliError('CLI_INPUT_REFUSED', 'the transfer waits for no approval');
  }
  const approval: TransferApproval = {
    v: 1,
    ...approvalPlace,
    transferId,
    requestHash,
    approvedAt: new Date().toISOString(),
  };
  const payload = Buffer.from(toCanonicalJson({ ...approval }));
  const envelope = signDsse({ payloadType: TRANSFER_APPROVAL_PAYLOAD_TYPE, payload }, [
    toDsseSigner(key),
  ]);
  report(context, unwrap(await cell.transfers.approve(transferId, envelope)));
}

/** Runs `bailiwick transfer stop <residency> <transferId>`. */
export async function runTransferStop(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.transfers.stop(argument(args, 1))));
}

/** A transfer as a person writes it; the cell checks it. */
function parseDraft(value: Readonly<Record<string, unknown>>): TransferRequest {
  return value as unknown as TransferRequest;
}

function report({ output }: Context, transfer: TransferAnswer): void {
  output.result({ v: 1, transfer }, () => JSON.stringify(transfer, null, 2));
}

function toLine({ transferId, kind, form, state, destination, createdAt }: TransferAnswer): string {
  return `${createdAt}  ${transferId}  ${kind} ${form} to ${destination.id ?? destination.kind}: ${state}`;
}

function toPreviewText(preview: TransferPreview): string {
  const { outcome, counts, destination, missingApprovals, needsConsent, rules, shape } = preview;
  const to = `${destination.id ?? destination.kind} (in ${destination.location}, run under the law of ${destination.operator})`;
  return [
    `${outcome}, by ${rules.join(', ')}`,
    `to ${to}`,
    `${counts.records} records about ${counts.people} people, ${counts.withheld} of them withheld`,
    ...preview.labels.map(
      ({ origin, regimes, records }) => `  from ${origin} (${regimes.join(', ')}): ${records}`,
    ),
    ...shape.map(
      (one) => `  ${one.field}: ${one.type}, ${one.class}, ${one.category}: ${one.treatment}`,
    ),
    ...(needsConsent ? ['only records of people who have consented go along'] : []),
    ...(missingApprovals.length > 0 ? [`to be signed: ${missingApprovals.join(', ')}`] : []),
    ...(preview.problem === undefined ? [] : [`cannot be done: ${preview.problem.detail ?? ''}`]),
  ].join('\n');
}
