// SPDX-License-Identifier: Apache-2.0
// `bailiwick terms`: what a customer and the operator agree on top of the charter, from a draft to what cells
// hold to. Each side signs on its own machine with its own key; the file goes back and forth.
import { createPublicKey, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseTerms, proveTerms, type TermsProof } from '@bailiwick/charter';
import {
  AGREEMENT_PAYLOAD_TYPE,
  type AgreementStatement,
  checkAgreementStatement,
  parseAgreementStatement,
  type TenantAnswer,
} from '@bailiwick/contracts';
import { isCoded, parseTenantId, toCanonicalJson } from '@bailiwick/kernel';
import {
  addDsseSignature,
  type DsseEnvelope,
  parseDsse,
  parsePinnedKey,
  signDsse,
  toDsseSigner,
  toPublicKeyText,
  verifyDsse,
} from '@bailiwick/keys';
import { unwrap } from '@bailiwick/sdk';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { listTenants, openConfiguredOperator } from '../operator.ts';
import { confirm } from './ask.ts';
import { load } from './charter.ts';
import { readSigningKey, signApproval } from './charter-approve.ts';
import { readApprovals, sha256 } from './charter-text.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';

/** A public key: a PEM file, or the key itself in base64. */
function readPublicKey(text: string): string {
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return text;
  let key: KeyObject;
  try {
    key = createPublicKey(readText(text, 'the public key'));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('CLI_INPUT_REFUSED', `\`${text}\` holds no public key`);
  }
  if (key.asymmetricKeyType === 'ed25519') return toPublicKeyText(key);
  throw new CliError('CLI_INPUT_REFUSED', `\`${text}\` holds no Ed25519 key`);
}

function write(file: string, value: unknown): void {
  try {
    writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` cannot be written, or exists`, {
      cause,
    });
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file, 'the agreement'));
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError('CLI_INPUT_REFUSED', `\`${file}\` is not JSON`);
  }
}

interface Agreement {
  readonly envelope: DsseEnvelope;
  readonly statement: AgreementStatement;
  /** Sides whose signature verifies. */
  readonly signedBy: readonly ('provider' | 'customer')[];
}

function readAgreement(file: string): Agreement {
  const value = readJson(file);
  try {
    const envelope = parseDsse(value);
    const statement = parseAgreementStatement(Buffer.from(envelope.payload, 'base64'));
    const signedBy = (['provider', 'customer'] as const).filter((side) =>
      isSignedBy(envelope, statement[side]),
    );
    return { envelope, statement, signedBy };
  } catch (error) {
    const isOurs =
      isCoded(error, 'KEYS_DSSE_MALFORMED') || isCoded(error, 'CONTRACT_VALUE_INVALID');
    if (!isOurs) throw error;
    throw new CliError('CLI_INPUT_REFUSED', `\`${file}\` is no agreement`, { cause: error });
  }
}

function isSignedBy(envelope: DsseEnvelope, key: string): boolean {
  try {
    const keys = [parsePinnedKey(key)];
    verifyDsse(envelope, { payloadType: AGREEMENT_PAYLOAD_TYPE, keys });
    return true;
  } catch (error) {
    if (isCoded(error, 'KEYS_DSSE_UNTRUSTED')) return false;
    throw error;
  }
}

/** Runs `bailiwick terms draft <terms>`. */
export async function runTermsDraft(context: Context, { args, options }: Input): Promise<void> {
  const terms = parseTerms(readMapping(argument(args, 0), 'the terms'));
  const tenantId = parseTenantId(String(options['tenantId']));
  const serial =
    options['serial'] === undefined
      ? await findNextSerial(context, tenantId)
      : Number(options['serial']);
  const draft = checkAgreementStatement({
    v: 1,
    tenantId,
    serial,
    terms,
    provider: readPublicKey(String(options['provider'])),
    customer: readPublicKey(String(options['customer'])),
  });
  const file = String(options['output']);
  write(file, draft);
  context.output.result({ v: 1, file, draft }, () => `a draft for serial ${serial}: ${file}`);
}

async function findNextSerial(context: Context, tenantId: string): Promise<number> {
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  const tenant = (await listTenants(operator)).find((one) => one.tenantId === tenantId);
  if (tenant !== undefined) return tenant.termsSerial + 1;
  throw new CliError('CLI_INPUT_REFUSED', 'there is no such tenant', {
    hint: 'for a tenant that is not there yet, say `--serial 1`',
  });
}

/** Runs `bailiwick terms sign <draft>`: the first signature, by either side. */
export async function runTermsSign(context: Context, { args, options }: Input): Promise<void> {
  const statement = checkAgreementStatement(readJson(argument(args, 0)));
  parseTerms(statement.terms);
  const key = readSigningKey(String(options['keyFile']));
  const side = findSide(statement, key);
  const payload = Buffer.from(toCanonicalJson(JSON.parse(JSON.stringify(statement))));
  const envelope = signDsse({ payloadType: AGREEMENT_PAYLOAD_TYPE, payload }, [toDsseSigner(key)]);
  const file = String(options['output']);
  write(file, envelope);
  context.output.result({ v: 1, file, side }, () => `signed as ${side}: ${file}`);
}

/** Runs `bailiwick terms countersign <agreement>`. */
export async function runTermsCountersign(
  context: Context,
  { args, options }: Input,
): Promise<void> {
  const { envelope, statement, signedBy } = readAgreement(argument(args, 0));
  const key = readSigningKey(String(options['keyFile']));
  const side = findSide(statement, key);
  if (signedBy.length === 0) {
    throw new CliError('CLI_INPUT_REFUSED', 'the signature of the other side does not verify');
  }
  const file = String(options['output']);
  write(file, signedBy.includes(side) ? envelope : addDsseSignature(envelope, toDsseSigner(key)));
  context.output.result({ v: 1, file, side }, () => `countersigned as ${side}: ${file}`);
}

function findSide(statement: AgreementStatement, key: KeyObject): 'provider' | 'customer' {
  const own = toPublicKeyText(key);
  const side = (['provider', 'customer'] as const).find((one) => statement[one] === own);
  if (side !== undefined) return side;
  throw new CliError('CLI_INPUT_REFUSED', 'the draft names another key for either side');
}

/** Runs `bailiwick terms check <agreement>`. */
export async function runTermsCheck({ output }: Context, { args, options }: Input): Promise<void> {
  const { statement, signedBy } = readAgreement(argument(args, 0));
  const terms = parseTerms(statement.terms);
  const proof =
    options['charter'] === undefined
      ? undefined
      : proveTerms(load(String(options['charter']), options), terms);
  const isSigned = signedBy.length === 2 && statement.provider !== statement.customer;
  const value = {
    v: 1,
    isSigned,
    signedBy,
    statement,
    ...(proof === undefined
      ? {}
      : {
          narrows: proof.narrows,
          widenings: proof.widenings,
          narrowings: proof.narrowings,
          space: { flows: String(proof.spaceSize.flows), folded: String(proof.spaceSize.folded) },
        }),
  };
  output.result(value, () =>
    [
      `terms of tenant ${statement.tenantId}, serial ${statement.serial}`,
      isSigned ? 'both sides have signed' : `signed by ${signedBy.join(', ') || 'nobody'} only`,
      ...toProofLines(proof),
    ].join('\n'),
  );
  if (!isSigned || proof?.narrows === false) process.exitCode = EXIT.unverified;
}

function toProofLines(proof: TermsProof | undefined): readonly string[] {
  if (proof === undefined) return [];
  const { narrows, widenings, narrowings, spaceSize } = proof;
  return [
    narrows
      ? `they narrow: nothing is allowed that the charter alone would not let, over ${spaceSize.folded} folded flows`
      : 'they WIDEN',
    ...widenings.map(({ words }) => `  wider: ${words}`),
    ...narrowings.map(({ words, after }) => `  ${words} [${after.rules.join(', ')}]`),
  ];
}

/** Runs `bailiwick terms approve <agreement>`: an approver's signature, for terms that are wider than before. */
export async function runTermsApprove(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const { statement } = readAgreement(argument(args, 0));
  const key = readSigningKey(String(options['keyFile']));
  const { tenantId, serial } = statement;
  const hash = sha256(toCanonicalJson(JSON.parse(JSON.stringify(statement.terms))));
  const file = String(options['output']);
  write(file, signApproval({ v: 1, subject: 'terms', tenantId, serial, hash }, key));
  output.result(
    { v: 1, file, tenantId, serial, hash },
    () => `approved: terms of serial ${serial}, ${hash}`,
  );
}

/** Runs `bailiwick terms apply <agreement>`. */
export async function runTermsApply(context: Context, { args, options }: Input): Promise<void> {
  const { envelope, statement, signedBy } = readAgreement(argument(args, 0));
  if (signedBy.length < 2) {
    throw new CliError('CLI_APPROVAL_MISSING', 'both sides must have signed', {
      hint: 'the other side signs with `bailiwick terms countersign`',
    });
  }
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  const tenant = (await listTenants(operator)).find(
    ({ tenantId }) => tenantId === statement.tenantId,
  );
  if (tenant === undefined) throw new CliError('CLI_INPUT_REFUSED', 'there is no such tenant');
  await confirm(`put these terms in force for tenant ${tenant.tenantId}?`, {
    isYes: options['yes'] === true,
  });
  const { homes, state } = tenant;
  const after = unwrap(
    await operator.control.call<TenantAnswer>({
      method: 'PUT',
      path: `/v1/tenants/${tenant.tenantId}`,
      body: {
        ...{ homes, state, terms: statement.terms, agreement: envelope },
        approvals: readApprovals(options['approval']),
      },
    }),
  );
  context.output.result(
    { v: 1, tenant: after },
    () => `terms of serial ${after.termsSerial} are put`,
  );
}
