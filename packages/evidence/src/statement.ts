// SPDX-License-Identifier: Apache-2.0
// What a cell states about a pack before it is made: how far the log goes, how many bodies the tenant has
// below that and their hash, which charter is in force, which receipts there are. Its hash is an entry of
// the same log, so the key that signs the log, and its witnesses, stand for it.
import { hash } from 'node:crypto';
import { type Json, toCanonicalJson } from '@bailiwick/kernel';
import type { EntryBody } from '@bailiwick/ledger';
import { EvidenceError } from './errors.ts';

/** Format of the statement, and with it of the whole pack. */
export const EVIDENCE_FORMAT = 'bailiwick/evidence/v1';
/** What the statement's entry tells in `facts.observed`. */
export const EVIDENCE_OBSERVED = 'evidence-stated';

export interface EvidenceStatement {
  readonly format: typeof EVIDENCE_FORMAT;
  readonly tenant: string;
  readonly cell: string;
  /** The log's origin. */
  readonly origin: string;
  /** The statement speaks of the log below this position. */
  readonly size: number;
  /** Bodies that the tenant has below it, as an export writes their lines. */
  readonly bodies: { readonly count: number; readonly sha256: string };
  readonly charter: { readonly hash: string; readonly serial: number; readonly sha256: string };
  readonly receipts: { readonly count: number; readonly sha256: string };
  /** Where the cell says it stands, and who runs it. */
  readonly place: { readonly location: string; readonly operator: string };
}

/** The one text of a statement. */
export function toStatementText(statement: EvidenceStatement): string {
  return `${toCanonicalJson(statement as unknown as Json)}\n`;
}

/** Lower-case hex of SHA-256. */
export function sha256(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}

const HEX_HASH = /^[0-9a-f]{64}$/;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= 256;
const isHash = (value: unknown): boolean => typeof value === 'string' && HEX_HASH.test(value);

type Check = (value: unknown) => boolean;
const shape =
  (fields: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) &&
    Object.keys(value).length === Object.keys(fields).length &&
    Object.entries(fields).every(([name, check]) => check(value[name]));

const STATEMENT = shape({
  format: (value) => value === EVIDENCE_FORMAT,
  tenant: isText,
  cell: isText,
  origin: isText,
  size: isCount,
  bodies: shape({ count: isCount, sha256: isHash }),
  charter: shape({ hash: isHash, serial: isCount, sha256: isHash }),
  receipts: shape({ count: isCount, sha256: isHash }),
  place: shape({ location: isText, operator: isText }),
});

/** Reads a statement in its one text. @throws {EvidenceError} `EVIDENCE_PACK_MALFORMED` */
export function parseStatement(text: string): EvidenceStatement {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined; // told below, as any other text that is no statement
  }
  if (STATEMENT(value)) {
    const statement = value as EvidenceStatement;
    if (toStatementText(statement) === text) return statement;
  }
  throw new EvidenceError(
    'EVIDENCE_PACK_MALFORMED',
    'the statement is not one, or not in its text',
  );
}

/** True for the entry that puts this statement on record. */
export function isStatementEntry(body: EntryBody, text: string): boolean {
  const { kind, facts } = body;
  return (
    kind === 'observation' &&
    facts?.['observed'] === EVIDENCE_OBSERVED &&
    facts['statement'] === sha256(text)
  );
}
