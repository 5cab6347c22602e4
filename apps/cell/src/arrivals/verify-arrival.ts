// SPDX-License-Identifier: Apache-2.0
// Whose word an arrival is: the connection's identity, the signature under the key that the bundle names,
// and the statement itself must all mean the same cell, tenant and transfer.
import {
  EnvelopeSchema,
  findProblems,
  parseTransferEnd,
  parseTransferManifest,
  TRANSFER_END_PAYLOAD_TYPE,
  TRANSFER_MANIFEST_PAYLOAD_TYPE,
  type TransferEnd,
  type TransferManifest,
} from '@bailiwick/contracts';
import type { CellId } from '@bailiwick/kernel';
import { isCoded } from '@bailiwick/kernel';
import { parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { CellError } from '../errors.ts';
import type { CellRuntime } from '../runtime.ts';
import type { ArrivalPlace } from './arrival-store.ts';

/** A verified statement with its bytes. */
export interface VerifiedStatement<T> {
  readonly statement: T;
  readonly payload: Buffer;
}

/** A request of another cell about one transfer. */
export interface ArrivalCall extends ArrivalPlace {
  /** As the connection's certificate says. */
  readonly from: CellId;
  readonly body: unknown;
}

export function refuse(detail: string, cause?: unknown): never {
  throw new CellError('DELIVERY_REFUSED', detail, cause === undefined ? {} : { cause });
}

/** What crosses a border stops with out-of-date law (invariant 11): on both sides of it. */
export function requireFreshLaw({ law }: CellRuntime): void {
  if (!law.isFresh())
    throw new CellError('PEER_UNREACHABLE', 'the law of this cell is out of date');
}

/** @throws {CellError} `DELIVERY_REFUSED` */
export function verifyManifest(
  runtime: CellRuntime,
  call: ArrivalCall,
): VerifiedStatement<TransferManifest> {
  const payload = verifyStatement(runtime, call, TRANSFER_MANIFEST_PAYLOAD_TYPE);
  const statement = parse(() => parseTransferManifest(payload));
  assertAbout(call, statement);
  if (statement.to !== runtime.cellId) refuse('the manifest is for another cell');
  return { statement, payload };
}

/** @throws {CellError} `DELIVERY_REFUSED` */
export function verifyEnd(runtime: CellRuntime, call: ArrivalCall): VerifiedStatement<TransferEnd> {
  const payload = verifyStatement(runtime, call, TRANSFER_END_PAYLOAD_TYPE);
  const statement = parse(() => parseTransferEnd(payload));
  assertAbout(call, statement);
  return { statement, payload };
}

function verifyStatement(
  runtime: CellRuntime,
  { from, body, tenantId }: ArrivalCall,
  payloadType: string,
): Buffer {
  const law = runtime.law.current();
  const key = law.findCell(from)?.signingKey;
  if (key === undefined) return refuse('the bundle in force has no signing key of this cell');
  if (law.findTenant(tenantId)?.state !== 'active') return refuse('the tenant is not served here');
  if (findProblems(EnvelopeSchema, body).length > 0) return refuse('not a signed statement');
  try {
    return verifyDsse(body, { payloadType, keys: [parsePinnedKey(key)] }).payload;
  } catch (cause) {
    return refuse('the statement does not verify', cause);
  }
}

/** Runs a parser; what is malformed is refused. */
export function parse<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!isCoded(cause, 'CONTRACT_VALUE_INVALID')) throw cause;
    return refuse('the statement is malformed', cause);
  }
}

// SECURITY: connection, path and signed statement must name the same cell, tenant and transfer.
function assertAbout(
  call: ArrivalCall,
  said: { readonly from: string; readonly tenantId: string; readonly transferId: string },
): void {
  if (said.from !== call.from) refuse('the statement names another cell');
  if (said.tenantId !== call.tenantId) refuse('the statement names another tenant');
  if (said.transferId !== call.transferId) refuse('the statement names another transfer');
}
