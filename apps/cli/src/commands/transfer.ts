// SPDX-License-Identifier: Apache-2.0
// `bailiwick transfer`: what leaves a cell, decided, transformed and on record on both sides.
import { type TransferAnswer, type TransferRequest, unwrap } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick transfer create <residency> --draft <file>`. */
export async function runTransferCreate(context: Context, { args, options }: Input): Promise<void> {
  const draft = parseDraft(readMapping(String(options['draft']), 'the transfer'));
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.transfers.create(draft, { deadlineMs: 60_000 })));
}

/** Runs `bailiwick transfer show <residency> <transferId>`. */
export async function runTransferShow(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.transfers.get(argument(args, 1))));
}

/** A transfer as a person writes it; the cell checks it. */
function parseDraft(value: Readonly<Record<string, unknown>>): TransferRequest {
  return value as unknown as TransferRequest;
}

function report({ output }: Context, transfer: TransferAnswer): void {
  output.result({ v: 1, transfer }, () => JSON.stringify(transfer, null, 2));
}
