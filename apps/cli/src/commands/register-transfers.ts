// SPDX-License-Identifier: Apache-2.0
// Commands about what leaves a cell.
import type { Command } from 'commander';
import { lazy } from './lazy.ts';

const DRAFT = '--draft <file>';
const DRAFT_WORDS = 'the transfer as JSON or YAML (see examples/transfers/)';

/** Adds them to the program. */
export function registerTransfers(program: Command): void {
  const transfer = program.command('transfer').description('what leaves a cell');
  transfer
    .command('preview <residency>')
    .description('what a transfer would take along: counts and shapes, never values')
    .requiredOption(DRAFT, DRAFT_WORDS)
    .action(lazy(async () => (await import('./transfer.ts')).runTransferPreview));
  transfer
    .command('create <residency>')
    .description('ask for a transfer out of this cell; it is decided, transformed and entered')
    .requiredOption(DRAFT, DRAFT_WORDS)
    .action(lazy(async () => (await import('./transfer.ts')).runTransferCreate));
  transfer
    .command('show <residency> <transferId>')
    .description('how far a transfer is, and its entries')
    .action(lazy(async () => (await import('./transfer.ts')).runTransferShow));
  transfer
    .command('list <residency>')
    .description('the newest transfers out of this cell')
    .action(lazy(async () => (await import('./transfer.ts')).runTransferList));
  transfer
    .command('approve <residency> <transferId>')
    .description('sign exactly this transfer with a key of the place that the data would leave')
    .requiredOption('--key-file <file>', 'Ed25519 private key (PKCS #8, PEM)')
    .action(lazy(async () => (await import('./transfer.ts')).runTransferApprove));
  transfer
    .command('stop <residency> <transferId>')
    .description('stop a transfer for good, at once')
    .action(lazy(async () => (await import('./transfer.ts')).runTransferStop));
}
