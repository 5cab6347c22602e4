// SPDX-License-Identifier: Apache-2.0
// Tenants as the middle knows them: an opaque id, the homes of its residencies, its terms, its state. The
// customer's name stands in nobody's database here.
import { CharterError, compileTerms, parseTerms } from '@bailiwick/charter';
import {
  AGREEMENT_PAYLOAD_TYPE,
  type AgreementStatement,
  parseAgreementStatement,
  type TenantAnswer,
  type TenantHome,
  type TenantRequest,
} from '@bailiwick/contracts';
import { createUuidV7, parseTenantId, type TenantId, toResidency } from '@bailiwick/kernel';
import { parseDsse, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { checkApprovals, hashJson, insertApprovals } from '../approvals.ts';
import { findCell } from '../cells/cell-store.ts';
import { findCharter } from '../charters/charter-store.ts';
import { compileText } from '../charters/charter-text.ts';
import { ControlError } from '../errors.ts';
import { refusePersonalData } from '../guard/refuse.ts';
import type { ControlServices, Transaction } from '../services.ts';
import { findTenant, putTenant } from './tenant-store.ts';

const NO_TERMS = { terms: 1, version: 1 };

/** Terms must be readable, and narrow the charter that is there. @throws {ControlError} `CONTROL_TERMS_INVALID` */
async function checkTerms(tx: Transaction, value: unknown): Promise<unknown> {
  refusePersonalData({ terms: value }, { profile: 'prose' });
  const charter = await findCharter(tx);
  try {
    const terms = parseTerms(value);
    if (charter !== undefined) compileTerms(compileText(charter.text), terms);
    return terms;
  } catch (cause) {
    if (!(cause instanceof CharterError)) throw cause;
    throw new ControlError('CONTROL_TERMS_INVALID', 'see `errors`', {
      cause,
      places: cause.problems.slice(0, 20).map(({ pointer, message }) => ({
        pointer: `/terms${pointer}`,
        detail: message,
      })),
    });
  }
}

async function checkHomes(tx: Transaction, homes: readonly TenantHome[]): Promise<void> {
  const seen = new Set<string>();
  for (const [index, { residency, cell }] of homes.entries()) {
    const refuse = (problem: string): never => {
      throw new ControlError('CONTROL_HOME_INVALID', problem, {
        places: [{ pointer: `/homes/${index}`, detail: problem }],
      });
    };
    if (seen.has(residency)) refuse('expected each residency once');
    seen.add(residency);
    if (toResidency(cell) !== residency) refuse('the cell is not of this residency');
    if ((await findCell(tx, cell)) === undefined) refuse('there is no such cell');
  }
}

/** Cells judge agreements; a mistake shows here at once and not in every cell. */
function checkAgreement(
  next: Pick<TenantAnswer, 'tenantId' | 'termsSerial' | 'terms' | 'agreement'>,
  before: TenantAnswer | undefined,
): void {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new ControlError('CONTROL_AGREEMENT_INVALID', problem, {
      cause,
      places: [{ pointer: '/agreement', detail: problem }],
    });
  };
  if (next.agreement === undefined) {
    if (before?.agreement !== undefined) refuse('terms that were signed change only signed');
    return;
  }
  let statement: AgreementStatement;
  try {
    statement = parseAgreementStatement(Buffer.from(parseDsse(next.agreement).payload, 'base64'));
    for (const side of [statement.provider, statement.customer]) {
      const keys = [parsePinnedKey(side)];
      verifyDsse(next.agreement, { payloadType: AGREEMENT_PAYLOAD_TYPE, keys });
    }
  } catch (cause) {
    refuse('expected an agreement that both sides have signed', cause);
    return;
  }
  if (statement.tenantId !== next.tenantId) refuse('the agreement is for another tenant');
  if (statement.serial !== next.termsSerial) {
    refuse(`the agreement is for another serial than \`${next.termsSerial}\``);
  }
  if (hashJson(statement.terms) !== hashJson(next.terms)) refuse('the agreement has other terms');
}

async function writeTenant(
  services: ControlServices,
  tx: Transaction,
  request: TenantRequest & { readonly tenantId: TenantId },
): Promise<TenantAnswer> {
  const { tenantId, homes, approvals = [] } = request;
  await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 1))', [tenantId]);
  const before = await findTenant(tx, tenantId);
  await checkHomes(tx, homes);
  const terms = await checkTerms(tx, request.terms ?? before?.terms ?? NO_TERMS);
  const termsHash = hashJson(terms);
  const isNew = before?.termsHash !== termsHash;
  const termsSerial = isNew ? (before?.termsSerial ?? 0) + 1 : before.termsSerial;
  const subject = { subject: 'terms', tenantId, serial: termsSerial, hash: termsHash } as const;
  const envelopes = checkApprovals(approvals, subject);
  const agreement = request.agreement ?? (isNew ? undefined : before?.agreement);
  checkAgreement({ tenantId, termsSerial, terms, agreement }, before);
  const tenant = {
    tenantId,
    state: request.state ?? before?.state ?? 'active',
    homes: [...homes].sort((a, b) => (a.residency < b.residency ? -1 : 1)),
    terms,
    termsSerial,
    termsHash,
    ...(agreement === undefined ? {} : { agreement }),
  };
  await putTenant(tx, tenant);
  if (isNew) await insertApprovals(tx, subject, envelopes);
  await services.changes.mark(tx);
  return tenant;
}

/** Adds a tenant. @throws {ControlError} `CONTROL_TENANT_EXISTS` and what `changeTenant` throws */
export async function addTenant(
  services: ControlServices,
  tx: Transaction,
  request: TenantRequest,
): Promise<TenantAnswer> {
  const tenantId = request.tenantId ?? parseTenantId(createUuidV7(services));
  if ((await findTenant(tx, tenantId)) !== undefined) {
    throw new ControlError('CONTROL_TENANT_EXISTS', 'the id is in use');
  }
  return await writeTenant(services, tx, { ...request, tenantId });
}

/**
 * Changes a tenant: state, homes, terms. A new home here moves no data.
 *
 * @throws {ControlError} `CONTROL_TENANT_UNKNOWN`, `CONTROL_HOME_INVALID`, `CONTROL_TERMS_INVALID`,
 *   `CONTROL_APPROVAL_INVALID`, `CONTROL_PERSONAL_DATA_REFUSED`
 */
export async function changeTenant(
  services: ControlServices,
  tenantId: TenantId,
  request: TenantRequest,
): Promise<TenantAnswer> {
  return await services.database.withTransaction(async (tx) => {
    if ((await findTenant(tx, tenantId)) === undefined) {
      throw new ControlError('CONTROL_TENANT_UNKNOWN', 'there is no such tenant');
    }
    return await writeTenant(services, tx, { ...request, tenantId });
  });
}
