// SPDX-License-Identifier: Apache-2.0
// Receipts: what processes and replicas signed when a key was switched or a person erased. The entry of the
// action commits to them by a hash.
import { hash } from 'node:crypto';
import { isCoded } from '@bailiwick/kernel';
import { type SignedStatement, verifyStatement } from '@bailiwick/keys';
import { EvidenceError } from './errors.ts';
import { RECEIPTS_COUNT_MAX } from './limits.ts';

/** The statements behind one entry. */
export interface Receipt {
  /** Id of the entry that commits to them. */
  readonly entry: string;
  readonly statements: readonly SignedStatement[];
}

/** Hash under which an entry commits to statements (`facts.receiptHash`). */
export function digestStatements(statements: readonly SignedStatement[]): string {
  const lines = statements.map(({ body, publicKey, signature }) =>
    JSON.stringify([body, publicKey, signature]),
  );
  return hash('sha256', `bailiwick/statements/v1\0${lines.join('\n')}`, 'hex');
}

/** Receipts as a pack has them: a line each, in the order given. */
export function toReceiptsText(receipts: readonly Receipt[]): string {
  return receipts.map(toLine).join('');
}

function toLine({ entry, statements }: Receipt): string {
  const own = statements.map(({ body, publicKey, signature }) => ({ body, publicKey, signature }));
  return `${JSON.stringify({ entry, statements: own })}\n`;
}

function isStatement(value: unknown): value is SignedStatement {
  if (typeof value !== 'object' || value === null) return false;
  const { body, publicKey, signature } = value as Partial<Record<keyof SignedStatement, unknown>>;
  return [body, publicKey, signature].every((one) => typeof one === 'string');
}

/** Reads receipts in their one text. @throws {EvidenceError} `EVIDENCE_PACK_MALFORMED` */
export function parseReceipts(text: string): readonly Receipt[] {
  const lines = text === '' ? [] : text.replace(/\n$/, '').split('\n');
  if (lines.length > RECEIPTS_COUNT_MAX) throw malformed();
  const receipts = lines.map(parseLine);
  if (toReceiptsText(receipts) !== text) throw malformed();
  return receipts;
}

function parseLine(line: string): Receipt {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw malformed();
  }
  if (typeof value !== 'object' || value === null) throw malformed();
  const { entry, statements } = value as Partial<Record<keyof Receipt, unknown>>;
  if (typeof entry !== 'string' || !Array.isArray(statements) || !statements.every(isStatement)) {
    throw malformed();
  }
  return { entry, statements };
}

function malformed(): EvidenceError {
  return new EvidenceError(
    'EVIDENCE_PACK_MALFORMED',
    'a receipt is not written as a pack writes it',
  );
}

/** What is wrong with a receipt, or nothing. The keys that signed are stated by the receipt itself. */
export function describeReceipt(receipt: Receipt, committed: unknown): string | undefined {
  if (digestStatements(receipt.statements) !== committed) {
    return `the statements are not the ones that entry ${receipt.entry} commits to`;
  }
  for (const statement of receipt.statements) {
    try {
      verifyStatement(statement, [statement.publicKey]);
    } catch (error) {
      if (!isCoded(error, 'KEYS_STATEMENT_UNVERIFIED')) throw error;
      return `a statement behind entry ${receipt.entry} is not signed by the key that it names`;
    }
  }
  return undefined;
}
