// SPDX-License-Identifier: Apache-2.0
// Approvals travel through here; they are not judged here. Cells verify them against keys that they have
// pinned. What is checked is that an approval is about this very text and serial, so that a mistake shows
// at once and not in every cell.
import { createHash } from 'node:crypto';
import {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  parseApprovalStatement,
} from '@bailiwick/contracts';
import { type Json, toCanonicalJson } from '@bailiwick/kernel';
import { type DsseEnvelope, parseDsse } from '@bailiwick/keys';
import { ControlError } from './errors.ts';
import type { Transaction } from './services.ts';

const NO_TENANT = '00000000-0000-0000-0000-000000000000';

/** What approvals are for. */
export type ApprovalSubject = Omit<ApprovalStatement, 'v'>;

/** SHA-256 of a text's UTF-8, lower-case hex. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}

/** SHA-256 of a value's canonical JSON (RFC 8785). */
export function hashJson(value: unknown): string {
  const json: Json = JSON.parse(JSON.stringify(value));
  return sha256Hex(toCanonicalJson(json));
}

/** @throws {ControlError} `CONTROL_APPROVAL_INVALID` */
export function checkApprovals(
  approvals: readonly unknown[],
  subject: ApprovalSubject,
): readonly DsseEnvelope[] {
  return approvals.map((value, index) => {
    const refuse = (problem: string, cause?: unknown): never => {
      throw new ControlError('CONTROL_APPROVAL_INVALID', problem, {
        cause,
        places: [{ pointer: `/approvals/${index}`, detail: problem }],
      });
    };
    let envelope: DsseEnvelope;
    let statement: ApprovalStatement;
    try {
      envelope = parseDsse(value);
      statement = parseApprovalStatement(Buffer.from(envelope.payload, 'base64'));
    } catch (cause) {
      return refuse('not an approval', cause);
    }
    if (envelope.payloadType !== APPROVAL_PAYLOAD_TYPE) refuse('not an approval');
    if (statement.subject !== subject.subject || statement.tenantId !== subject.tenantId) {
      refuse('the approval is about something else');
    }
    if (statement.serial !== subject.serial) refuse('the approval is for another serial');
    if (statement.hash !== subject.hash) refuse('the approval is for another text');
    return envelope;
  });
}

/** Keeps approvals beside what they approve. */
export async function insertApprovals(
  tx: Transaction,
  subject: ApprovalSubject,
  envelopes: readonly DsseEnvelope[],
): Promise<void> {
  for (const envelope of envelopes) {
    // Behind those that are there: more people may sign later.
    await tx.query(
      `INSERT INTO control.approvals (subject, tenant_id, serial, position, envelope)
       SELECT $1::text, $2::uuid, $3::bigint, coalesce(max(position) + 1, 0), $4::jsonb FROM control.approvals
       WHERE subject = $1 AND tenant_id = $2 AND serial = $3`,
      [subject.subject, subject.tenantId ?? NO_TENANT, subject.serial, JSON.stringify(envelope)],
    );
  }
}

/** The approvals of one subject under one serial. */
export async function listApprovals(
  tx: Transaction,
  subject: Omit<ApprovalSubject, 'hash'>,
): Promise<readonly unknown[]> {
  const { rows } = await tx.query<{ envelope: unknown }>(
    `SELECT envelope FROM control.approvals
     WHERE subject = $1 AND tenant_id = $2 AND serial = $3 ORDER BY position`,
    [subject.subject, subject.tenantId ?? NO_TENANT, subject.serial],
  );
  return rows.map(({ envelope }) => envelope);
}
