// SPDX-License-Identifier: Apache-2.0
// `bailiwick restore-approve`: one of two people lets a restored cell serve without what its witnesses cosigned.
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { APPROVAL_PAYLOAD_TYPE, type ApprovalStatement } from '@bailiwick/contracts';
import { signDsse, toDsseSigner } from '@bailiwick/keys';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { confirm } from './ask.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

function readApprovals(file: string): unknown[] {
  if (!existsSync(file)) return [];
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
  if (Array.isArray(value)) return value;
  throw new CliError('CLI_INPUT_REFUSED', `\`${file}\` holds no list of approvals`);
}

/** Runs `bailiwick restore-approve <hash>`; adds a signature to a file that others add theirs to. */
export async function runRestoreApprove(context: Context, { args, options }: Input): Promise<void> {
  const hash = argument(args, 0);
  const serial = Number(options['epoch']);
  if (!/^[0-9a-f]{64}$/.test(hash) || !Number.isInteger(serial) || serial < 2) {
    throw new CliError('CLI_USAGE_WRONG', 'expected the hash that the restore told, and `--epoch`');
  }
  await confirm(
    'Let the cell serve although nobody can say who was erased since its backup? Your name goes on record.',
    { isYes: options['yes'] === true },
  );
  const statement: ApprovalStatement = { v: 1, subject: 'restore', serial, hash };
  const key = createPrivateKey(readText(String(options['key']), 'the approver’s key'));
  const payload = Buffer.from(JSON.stringify(statement), 'utf8');
  const approval = signDsse({ payloadType: APPROVAL_PAYLOAD_TYPE, payload }, [toDsseSigner(key)]);
  const file = path.resolve(String(options['output']));
  const approvals = [...readApprovals(file), approval];
  writeFileSync(file, `${JSON.stringify(approvals, null, 2)}\n`, { mode: 0o600 });
  context.output.result(
    { v: 1, file, approvalsCount: approvals.length },
    () => `${approvals.length} approval(s) in ${file}`,
  );
}
