// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter approve`: one person's signature over exactly one text under exactly one serial.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { APPROVAL_PAYLOAD_TYPE, type ApprovalStatement } from '@bailiwick/contracts';
import { toCanonicalJson } from '@bailiwick/kernel';
import { type DsseEnvelope, signDsse, toDsseSigner } from '@bailiwick/keys';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { getCharter, openConfiguredOperator } from '../operator.ts';
import { compareWithLaw, readCharterToSend, sha256, toSummary } from './charter-text.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

/** Reads an Ed25519 private key (PKCS #8, PEM). @throws {CliError} `CLI_INPUT_REFUSED` */
export function readSigningKey(file: string): KeyObject {
  const text = readText(file, 'the key');
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Told below: a file that is no key and one with another kind of key are the same trouble.
  }
  throw new CliError('CLI_INPUT_REFUSED', `\`${file}\` holds no Ed25519 private key`);
}

/** Signs an approval. */
export function signApproval(statement: ApprovalStatement, key: KeyObject): DsseEnvelope {
  const payload = Buffer.from(toCanonicalJson({ ...statement }));
  return signDsse({ payloadType: APPROVAL_PAYLOAD_TYPE, payload }, [toDsseSigner(key)]);
}

function toSerial(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const serial = Number(text);
  if (Number.isSafeInteger(serial) && serial > 0) return serial;
  throw new CliError('CLI_USAGE_WRONG', `\`${String(text)}\` is no serial`);
}

interface ToSign {
  readonly serial: number;
  readonly hash: string;
  readonly words: string;
}

async function findToSign(context: Context, { args, options }: Input): Promise<ToSign> {
  const stated = toSerial(options['serial']);
  const [file] = args;
  if (stated !== undefined && file !== undefined) {
    const { textHash } = readCharterToSend(file, options);
    return { serial: stated, hash: textHash, words: 'not compared: nobody was asked' };
  }
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  if (options['wayBack'] === true) {
    const current = await getCharter(operator);
    const next = current.nextSerial ?? current.serial + 1;
    const serial = stated ?? next + 1;
    return {
      serial,
      hash: sha256(current.text),
      words: `the charter of serial ${current.serial}, to be law again as serial ${serial}`,
    };
  }
  const next = readCharterToSend(argument(args, 0), options);
  const comparison = await compareWithLaw(operator, next);
  const serial = stated ?? comparison.current.nextSerial;
  return { serial, hash: next.textHash, words: toSummary(comparison) };
}

/** Runs `bailiwick charter approve [file] --key-file <file> --output <file>`. */
export async function runCharterApprove(context: Context, input: Input): Promise<void> {
  const { options } = input;
  const key = readSigningKey(String(options['keyFile']));
  const { serial, hash, words } = await findToSign(context, input);
  const envelope = signApproval({ v: 1, subject: 'charter', serial, hash }, key);
  const file = String(options['output']);
  try {
    writeFileSync(file, `${JSON.stringify(envelope, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` cannot be written, or exists`, {
      cause,
    });
  }
  context.output.result({ v: 1, file, serial, hash, words }, () =>
    [`approved: serial ${serial}, text ${hash}`, words].join('\n'),
  );
}
