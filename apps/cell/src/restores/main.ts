// SPDX-License-Identifier: Apache-2.0
// `node apps/cell/src/restores/main.ts --config <cell.yaml> --owner-url-file <file> [--at <instant>]
// [--replay-only true] [--approvals <file>]`: restores a cell's database and prints one line of JSON. The
// cell that starts over it afterwards asks its witnesses before it serves.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { CodedError } from '@bailiwick/kernel';
import { prepareCellDatabase } from '@bailiwick/postgres';
import { openLog } from '@bailiwick/telemetry';
import { loadCellConfig, readSecretFile } from '../config.ts';
import { CellError } from '../errors.ts';
import { createSystemRandom, systemClock } from '../ports.ts';
import { restoreCell } from './restore-cell.ts';

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/;

interface Arguments {
  readonly config: string;
  readonly ownerUrlFile: string;
  readonly at?: string;
  readonly isReplayOnly: boolean;
  readonly approvals?: string;
}

function readArguments(): Arguments {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      config: text,
      'owner-url-file': text,
      at: text,
      'replay-only': text,
      approvals: text,
    },
  });
  const { config, at, approvals } = values;
  const ownerUrlFile = values['owner-url-file'];
  if (config === undefined || ownerUrlFile === undefined) {
    throw new CellError('CELL_CONFIG_INVALID', 'expected `--config` and `--owner-url-file`');
  }
  if (at !== undefined && !INSTANT.test(at)) {
    throw new CellError('CELL_CONFIG_INVALID', 'expected `--at` like 2026-11-20T12:00:00Z');
  }
  return {
    config,
    ownerUrlFile,
    isReplayOnly: values['replay-only'] === 'true',
    ...(at === undefined ? {} : { at: new Date(at).toISOString() }),
    ...(approvals === undefined ? {} : { approvals }),
  };
}

function readApprovals(file: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CellError('RESTORE_APPROVAL_INVALID', `\`${file}\` is not JSON`, { cause });
  }
  return Array.isArray(value) ? value : [value];
}

const passwordOf = (file: string): string =>
  decodeURIComponent(new URL(readSecretFile(file)).password);

async function run(): Promise<void> {
  const { config: file, ownerUrlFile, approvals, ...wanted } = readArguments();
  const { config } = loadCellConfig({ file, environment: process.env });
  const { directory, level } = config.telemetry;
  const log = openLog({ component: 'restore', directory, level }).with({ cell: config.cell });
  const ownerUrl = readSecretFile(ownerUrlFile);
  const { database, backups } = config;
  await prepareCellDatabase({
    ownerUrl,
    cellPassword: passwordOf(database.urlFile),
    keysPassword: passwordOf(database.keysUrlFile),
    ...(backups === undefined ? {} : { backupPassword: passwordOf(backups.urlFile) }),
  });
  const report = await restoreCell({
    ...wanted,
    ...{ config, ownerUrl, clock: systemClock, random: createSystemRandom() },
    ...(approvals === undefined ? {} : { approvals: readApprovals(approvals) }),
  });
  log.info('database restored', { count: report.rowsCount });
  log.flush();
  process.stdout.write(`${JSON.stringify({ v: 1, ...report })}\n`);
}

run().catch((error: unknown) => {
  const isOurs = error instanceof CodedError;
  const message = isOurs ? `${error.code}: ${error.message}` : 'failed';
  process.stderr.write(`bailiwick restore: error: ${message}\n`);
  // PostgreSQL's messages can quote values: the code and the place say enough.
  if (!isOurs && error instanceof Error) {
    const code = 'code' in error ? String(error.code) : error.name;
    process.stderr.write(`${code}\n${(error.stack ?? '').split('\n').slice(1, 6).join('\n')}\n`);
  }
  process.exit(1);
});
