// SPDX-License-Identifier: Apache-2.0
// `bailiwick restore`: runs the cell's own restore as a process of its own, because only a cell's code opens
// its backups. The cell that starts afterwards asks its witnesses before it serves.
import { spawn } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const ROOT = path.resolve(import.meta.dirname, '../../../..');
const ENTRY = 'apps/cell/src/restores/main.ts';
const OUTPUT_LENGTH_MAX = 65_536;

/** What the cell's restore says it did. */
export interface RestoreReport {
  readonly backupId: string;
  readonly backupAt: string;
  readonly head: { readonly epoch: number; readonly size: number; readonly root: string };
  readonly replayedFrom: number;
  readonly rowsCount: number;
  readonly erasuresCount: number;
  readonly recordsRemovedCount: number;
  readonly keyChangesCount: number;
}

/** Runs a restore of a cell's configuration. @throws {CliError} `CLI_RESTORE_FAILED` with the cell's reason */
export async function restoreCell(options: {
  readonly configuration: string;
  readonly ownerUrlFile: string;
  readonly at?: string;
  readonly isReplayOnly?: boolean;
  readonly approvals?: string;
}): Promise<RestoreReport> {
  const words = ['--config', options.configuration, '--owner-url-file', options.ownerUrlFile];
  if (options.at !== undefined) words.push('--at', options.at);
  if (options.isReplayOnly === true) words.push('--replay-only', 'true');
  if (options.approvals !== undefined) words.push('--approvals', options.approvals);
  const child = spawn(process.execPath, [path.join(ROOT, ENTRY), ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const collect = (stream: NodeJS.ReadableStream): (() => string) => {
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      text = (text + chunk).slice(-OUTPUT_LENGTH_MAX);
    });
    return () => text;
  };
  const [out, said] = [collect(child.stdout), collect(child.stderr)];
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code === 0) return JSON.parse(out()) as RestoreReport;
  const reason = /error: (.*)/.exec(said())?.[1] ?? 'the restore ended without a word';
  throw new CliError('CLI_RESTORE_FAILED', reason);
}

/** Runs `bailiwick restore <configuration>`. */
export async function runRestore(context: Context, { args, options }: Input): Promise<void> {
  const text = (name: string): string | undefined => {
    const value = options[name];
    return typeof value === 'string' ? path.resolve(value) : undefined;
  };
  const at = options['at'];
  const approvals = text('approvals');
  const report = await restoreCell({
    configuration: path.resolve(argument(args, 0)),
    ownerUrlFile: text('ownerUrlFile') ?? '',
    ...(typeof at === 'string' ? { at } : {}),
    isReplayOnly: options['replayOnly'] === true,
    ...(approvals === undefined ? {} : { approvals }),
  });
  context.output.result(report, () =>
    [
      `restored ${report.rowsCount} records as of ${report.backupAt} (backup ${report.backupId})`,
      `ledger: epoch ${report.head.epoch}, ${report.head.size} entries, root ${report.head.root.slice(0, 16)}…`,
      `replayed from entry ${report.replayedFrom}: ${report.erasuresCount} erasures, ${report.recordsRemovedCount} records removed, ${report.keyChangesCount} key changes`,
      'start the cell: it serves once its witnesses agree that the ledger is whole',
    ].join('\n'),
  );
}
