// SPDX-License-Identifier: Apache-2.0
// Takes a transfer in: understood, decided for every label of the collection, written down with its job.

import { homeOf } from '@bailiwick/charter';
import type { TransferRequest } from '@bailiwick/contracts';
import { createUuidV7, parseCollectionId } from '@bailiwick/kernel';
import { collectionsOf } from '../collections/collection-store.ts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import { toConditions } from '../records/query.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import { type AggregatePlan, toPlan } from './aggregate.ts';
import { decideFlows, type Label, toFlows } from './decide-transfer.ts';
import { listLabels } from './read-records.ts';
import { insertTransfer } from './transfer-store.ts';

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

/** Holds a request against the collection's schema. @throws {CellError} `TRANSFER_INVALID` */
export async function understandTransfer(
  runtime: CellRuntime,
  { tenantId }: Pick<Credential, 'tenantId'>,
  request: TransferRequest,
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
  const known = await listLabels(runtime, { tenantId, collection });
  const labels = known.length === 0 ? toHomeLabels(runtime) : known;
  const named = plan === undefined ? [...collection.fields.keys()] : plan.fields;
  return { collection, plan, labels, fields: [...new Set([...named, ...Object.keys(where)])] };
}

/** An empty collection is decided as one whose records come from the country of this cell. */
function toHomeLabels(runtime: CellRuntime): readonly Label[] {
  const origin = runtime.config.location.jurisdiction;
  const home = homeOf(runtime.law.current().charter, origin);
  return [{ origin, regimes: home.ok ? home.regimes : [] }];
}

/**
 * Decides a transfer and writes it down; a denial is entered and thrown.
 *
 * @throws {DenialError}; {CellError} `TRANSFER_INVALID`, `TRANSFER_UNSUPPORTED`
 */
export async function requestTransfer(
  runtime: CellRuntime,
  credential: Credential,
  request: TransferRequest,
): Promise<string> {
  const understood = await understandTransfer(runtime, credential, request);
  const flows = toFlows(runtime, { credential, request, ...understood });
  const outcome = decideFlows(runtime, flows);
  if ('denied' in outcome) await runtime.enforcement.require(credential, outcome.request);
  assertSupported(request, understood);
  const transferId = createUuidV7(runtime);
  await runtime.database.withTenant(credential.tenantId, (tx) =>
    insertTransfer(tx, { tenantId: credential.tenantId, transferId, request, credential }),
  );
  return transferId;
}

/** What the charter allows and this version cannot do is told as such, and nothing leaves. */
function assertSupported(request: TransferRequest, { plan, collection }: UnderstoodTransfer): void {
  const { kind, form, destination } = request;
  const isKind = kind === 'aggregate' || kind === 'copy' || kind === 'export';
  const isDestination = destination.kind === 'cell' || destination.kind === 'control';
  if (!isKind || plan === undefined || form !== 'aggregated' || !isDestination) {
    throw new CellError(
      'TRANSFER_UNSUPPORTED',
      'this version transfers figures (`aggregated`) to cells and to the control plane',
    );
  }
  if (!SERIES.test(collection.id) || collection.id.length > 32) {
    throw new CellError('TRANSFER_UNSUPPORTED', 'the name of the collection cannot leave the cell');
  }
}
