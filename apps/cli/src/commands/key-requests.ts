// SPDX-License-Identifier: Apache-2.0
// `bailiwick key rotate | report | request | requests | approve | cancel | staleness`. What two people must
// want is signed here, with keys that never leave this machine, over exactly the text that the cell gave;
// what it says is shown before it is signed.
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseKeyRequest, signKeyRequest, toStatementKey } from '@bailiwick/keys';
import {
  type Cell,
  type KeyAction,
  type KeyRequest,
  type KeyRotation,
  unwrap,
} from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { toTable } from '../output.ts';
import { confirm } from './ask.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const POLL_MS = 250;

/** Runs `bailiwick key pen <file>`: makes the key that a person signs requests with. */
export async function runKeyPen(context: Context, { args }: Input): Promise<void> {
  const file = argument(args, 0);
  const { privateKey } = generateKeyPairSync('ed25519');
  try {
    const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    // `wx`: a key that is there is never replaced.
    writeFileSync(file, pem, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `cannot write the key file \`${file}\``, { cause });
  }
  const key = toStatementKey(privateKey);
  context.output.result({ v: 1, key, file }, () => key);
}

function toAction({ options }: Input): KeyAction {
  const kind = String(options['kind']);
  switch (kind) {
    case 'end':
      return { kind };
    case 'destroy':
      return { kind, keyId: String(options['key']), version: Number(options['version']) };
    case 'move':
      return { kind, provider: String(options['provider']) };
    case 'staleness':
      return { kind, stalenessMs: Number(options['ms']) };
    default:
      throw new CliError('CLI_USAGE_WRONG', 'expected end, destroy, move or staleness as `--kind`');
  }
}

/** In plain words: what becomes of it. */
function toWarning(body: string): string {
  const { action, consequence, expiresAt } = parseKeyRequest(body);
  const lost = `${consequence.records} records of ${consequence.subjects} people become unreadable`;
  const what: Readonly<Record<KeyAction['kind'], string>> = {
    end: `the customer key is disabled for good: ${lost}, and no enabling brings them back`,
    destroy: `a version of a key is destroyed for ever; it protects nothing any more, or the key has ended (${lost})`,
    move: 'the tenant keys are wrapped under a key of another provider',
    staleness: 'the cell may use keys for longer after it last asked for them',
  };
  return `${what[action.kind]} (open until ${expiresAt})`;
}

function report({ output }: Context, request: KeyRequest): void {
  output.result({ v: 1, ...request }, () =>
    [
      `${request.keyRequestId}: ${request.state}`,
      toWarning(request.body),
      `signed by ${request.signedBy.join(', ') || 'nobody'} (${request.signaturesNeeded} needed)`,
    ].join('\n'),
  );
}

async function sign(
  context: Context,
  cell: Cell,
  request: KeyRequest,
  { options }: Input,
): Promise<void> {
  const privateKey = createPrivateKey(readFileSync(String(options['pen'])));
  await confirm(`${toWarning(request.body)}\nSign it?`, { isYes: options['yes'] === true });
  const signed = signKeyRequest(privateKey, request.body);
  report(context, unwrap(await cell.keys.sign(request.keyRequestId, signed)));
}

/** Runs `bailiwick key request <residency>`: asks, and signs as the first. */
export async function runKeyRequest(context: Context, input: Input): Promise<void> {
  const cell = await context.cell(argument(input.args, 0));
  await sign(context, cell, unwrap(await cell.keys.request(toAction(input))), input);
}

async function findRequest(cell: Cell, id: string): Promise<KeyRequest> {
  const { items } = unwrap(await cell.keys.requests());
  const found = items.find(({ keyRequestId }) => keyRequestId === id);
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', 'there is no such request');
}

/** Runs `bailiwick key approve <residency> <request>`. */
export async function runKeyApprove(context: Context, input: Input): Promise<void> {
  const cell = await context.cell(argument(input.args, 0));
  await sign(context, cell, await findRequest(cell, argument(input.args, 1)), input);
}

/** Runs `bailiwick key cancel <residency> <request>`. */
export async function runKeyCancel(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  report(context, unwrap(await cell.keys.cancel(argument(args, 1))));
}

/** Runs `bailiwick key requests <residency>`. */
export async function runKeyRequests(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { items } = unwrap(await cell.keys.requests());
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['request', 'state', 'signed by', 'what'],
      items.map((item) => [
        item.keyRequestId,
        item.state,
        item.signedBy.join(', '),
        toWarning(item.body),
      ]),
    ),
  );
}

/** Runs `bailiwick key report <residency>`. */
export async function runKeyReport(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const found = unwrap(await cell.keys.report());
  const toState = (isDestroyable: boolean, destroyedAt?: string): string =>
    destroyedAt === undefined ? (isDestroyable ? 'can be destroyed' : 'in use') : 'destroyed';
  context.output.result({ v: 1, ...found }, () =>
    toTable(
      ['key', 'kind', 'version', 'protects', 'state'],
      [
        ...found.customerKeys.map((one) => [
          one.keyId,
          'customer-key',
          one.version,
          `${one.tenantKeysCount} tenant keys`,
          toState(one.isDestroyable, one.destroyedAt),
        ]),
        ...found.tenantKeys.map((one) => [
          one.keyId,
          'tenant-key',
          one.version,
          `${one.subjectKeysCount} people, ${one.collectionKeysCount} collections, ${one.secretsCount} secrets`,
          toState(one.isDestroyable),
        ]),
      ],
    ),
  );
}

/** Runs `bailiwick key rotate <residency> <key>`; with `--wait` until it is done. */
export async function runKeyRotate(context: Context, { args, options }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  let rotation: KeyRotation = unwrap(await cell.keys.rotate(argument(args, 1)));
  while (options['wait'] === true && rotation.state !== 'done') {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    rotation = unwrap(await cell.keys.rotation(rotation.rotationId));
  }
  context.output.result(
    { v: 1, ...rotation },
    () =>
      `${rotation.rotationId}: ${rotation.kind} ${rotation.fromVersion} to ${rotation.toVersion}, ${rotation.state}, ${rotation.wrappedCount} keys wrapped anew`,
  );
}

/** Runs `bailiwick key staleness <residency> <ms>`: shorter, at once. */
export async function runKeyStaleness(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const { stalenessMs } = unwrap(await cell.keys.shortenStaleness(Number(argument(args, 1))));
  context.output.result({ v: 1, stalenessMs }, () => `${stalenessMs} ms`);
}
