// SPDX-License-Identifier: Apache-2.0
// Takes a transfer in: understood, decided for every label of the collection, written down with its job.
import { createHash } from 'node:crypto';
import { homeOf } from '@bailiwick/charter';
import type { TransferRequest } from '@bailiwick/contracts';
import {
  createUuidV7,
  type Json,
  type Obligation,
  parseCollectionId,
  toCanonicalJson,
  toDate,
} from '@bailiwick/kernel';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { CellError, DenialError } from '../errors.ts';
import { toConditions } from '../records/query.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { type AggregatePlan, toPlan } from './aggregate.ts';
import { type DeniedFlows, decideTransfer, type Label } from './decide-transfer.ts';
import { assertEnded, toPeriod } from './period.ts';
import { listLabels } from './read-records.ts';
import { insertTransfer } from './transfer-store.ts';
import { toTreatments } from './treatments.ts';

const SERIES = /^[a-z]+(?:-[a-z]+){0,3}$/;

/** A transfer that has been understood. */
export interface UnderstoodTransfer {
  readonly collection: CompiledCollection;
  /** Absent for forms that this version does not make. */
  readonly plan: AggregatePlan | undefined;
  readonly labels: readonly Label[];
  /** Names of the fields that are touched. */
  readonly fields: readonly string[];
}

/**
 * Holds a request against the collection's schema. Its labels are looked for unless they are given.
 *
 * @throws {CellError} `TRANSFER_INVALID`
 */
export async function understandTransfer(
  runtime: CellRuntime,
  { tenantId }: Pick<Credential, 'tenantId'>,
  request: TransferRequest,
  labels?: readonly Label[],
): Promise<UnderstoodTransfer> {
  const collectionId = parseCollectionId(request.selection.collection);
  const collection = await collectionsOf(runtime).get(tenantId, collectionId);
  const where = request.selection.where ?? {};
  // Also refuses conditions on sealed fields: a figure must not tell whether somebody is in it.
  toConditions(collection, where, { tenantId, indexKeys: new Map() });
  const isFigures = request.form === 'aggregated' || request.form === 'dp-aggregated';
  if (isFigures && request.aggregate === undefined) {
    throw new CellError('TRANSFER_INVALID', 'figures need `aggregate`', {
      places: [{ pointer: '/aggregate', detail: 'expected what to count' }],
    });
  }
  const plan =
    isFigures && request.aggregate !== undefined
      ? toPlan(collection, request.aggregate)
      : undefined;
  if (plan !== undefined && request.aggregate?.period !== undefined) {
    assertEnded(toPeriod(request.aggregate.period), toDate(runtime.clock.nowMs()));
  }
  const known = labels ?? (await findLabels(runtime, { tenantId, collection }));
  const named = plan === undefined ? toNamed(collection, request) : plan.fields;
  return {
    collection,
    plan,
    labels: known,
    fields: [...new Set([...named, ...Object.keys(where)])],
  };
}

/** The fields that go along one by one. */
function toNamed(collection: CompiledCollection, request: TransferRequest): readonly string[] {
  const { fields } = request.selection;
  if (fields === undefined) return [...collection.fields.keys()];
  for (const [at, name] of fields.entries()) {
    if (collection.fields.has(name)) continue;
    throw new CellError('TRANSFER_INVALID', 'the collection has no such field', {
      places: [{ pointer: `/selection/fields/${at}`, detail: 'expected a field' }],
    });
  }
  return fields;
}

async function findLabels(
  runtime: CellRuntime,
  place: Parameters<typeof listLabels>[1],
): Promise<readonly Label[]> {
  const known = await listLabels(runtime, place);
  return known.length === 0 ? toHomeLabels(runtime) : known;
}

/** An empty collection is decided as one whose records come from the country of this cell. */
function toHomeLabels(runtime: CellRuntime): readonly Label[] {
  const origin = runtime.config.location.jurisdiction;
  const home = homeOf(runtime.law.current().charter, origin);
  return [{ origin, regimes: home.ok ? home.regimes : [] }];
}

/** What an approval is for: the request as it is kept, in its one canonical text. */
export function hashRequest(request: TransferRequest): string {
  const plain: Json = JSON.parse(JSON.stringify(request));
  return createHash('sha256').update(toCanonicalJson(plain)).digest('hex');
}

/**
 * Decides a transfer and writes it down; a denial is entered and thrown. What the charter wants signed
 * waits for its signatures. Asked for again with the same key it is the same transfer: the stored answer
 * alone would not hold that over a crash between the two.
 *
 * @throws {DenialError}; {CellError} `TRANSFER_INVALID`, `TRANSFER_UNSUPPORTED`, `IDEMPOTENCY_KEY_REUSED`
 */
export async function requestTransfer(
  runtime: CellRuntime,
  credential: Credential,
  request: TransferRequest,
  askedWith: Buffer | undefined,
): Promise<string> {
  await runtime.orders.prepare(credential.tenantId);
  const understood = await understandTransfer(runtime, credential, request);
  const verdict = decideTransfer(runtime, { credential, request, ...understood });
  if ('denied' in verdict) return denyTransfer(runtime, credential, verdict);
  assertSupported(runtime, request, { ...understood, obligations: verdict.obligations });
  const { tenantId } = credential;
  const { missing } = verdict;
  const transferId = createUuidV7(runtime);
  const requestHash = hashRequest(request);
  const state = missing.length > 0 ? 'awaiting-approval' : 'accepted';
  const parts = { tenantId, transferId, request, credential, missing, requestHash, askedWith };
  const kept = await runtime.database.withTenant(tenantId, (tx) =>
    insertTransfer(tx, { ...parts, state }),
  );
  if (kept.requestHash === requestHash) return kept.transferId;
  throw new CellError('IDEMPOTENCY_KEY_REUSED', 'the key was used with another transfer');
}

/** Enters a denial and throws it. */
async function denyTransfer(
  runtime: CellRuntime,
  credential: Credential,
  { request, denied }: DeniedFlows,
): Promise<never> {
  await runtime.enforcement.require(credential, request);
  throw new DenialError(denied.decision);
}

/** What the charter allows and this version cannot do is told as such, and nothing leaves. */
export function assertSupported(
  runtime: CellRuntime,
  request: TransferRequest,
  understood: UnderstoodTransfer & { readonly obligations: readonly Obligation[] },
): void {
  if (request.kind === 'copy' || request.kind === 'export') {
    if (understood.plan === undefined) {
      assertRecords(runtime, request, understood);
      return;
    }
  }
  assertFigures(request, understood);
}

function assertFigures(
  { kind, form, destination }: TransferRequest,
  { plan, collection }: UnderstoodTransfer,
): void {
  const isKind = kind === 'aggregate' || kind === 'copy' || kind === 'export';
  const isDestination = destination.kind === 'cell' || destination.kind === 'control';
  if (!isKind || plan === undefined || form !== 'aggregated' || !isDestination) {
    throw new CellError(
      'TRANSFER_UNSUPPORTED',
      'this version sends figures (`aggregated`) to cells and to the control plane, copies to cells and exports to providers (`plain` or `pseudonymised`)',
    );
  }
  if (!SERIES.test(collection.id) || collection.id.length > 32) {
    throw new CellError('TRANSFER_UNSUPPORTED', 'the name of the collection cannot leave the cell');
  }
}

function assertRecords(
  runtime: CellRuntime,
  request: TransferRequest,
  understood: UnderstoodTransfer & { readonly obligations: readonly Obligation[] },
): void {
  const { kind, form, destination, mechanism, instrument } = request;
  const refuse = (pointer: string, detail: string): never => {
    throw new CellError('TRANSFER_INVALID', detail, { places: [{ pointer, detail }] });
  };
  if (form !== 'plain' && form !== 'pseudonymised') {
    throw new CellError('TRANSFER_UNSUPPORTED', `records cannot be sent as \`${form}\``);
  }
  if (kind === 'copy') {
    if (destination.kind !== 'cell') refuse('/destination/kind', 'a copy goes to a cell');
    if (destination.id === runtime.cellId) refuse('/destination/id', 'expected another cell');
    // Off by default: what no law lets go under a named mechanism stays, whatever a rule allows.
    if (mechanism === undefined) refuse('/mechanism', 'a copy needs a mechanism');
  } else {
    if (destination.kind !== 'provider')
      refuse('/destination/kind', 'an export goes to a provider');
    if (runtime.config.exports === undefined) {
      throw new CellError('TRANSFER_UNSUPPORTED', 'this cell has no place for exports (`exports`)');
    }
  }
  if (mechanism !== undefined && instrument === undefined) {
    refuse('/instrument', 'expected the reference and the parties of the instrument');
  }
  toTreatments(understood.collection, {
    fields: understood.fields,
    form,
    obligations: understood.obligations,
  });
}
