// SPDX-License-Identifier: Apache-2.0
// Executes a transfer step by step: compute and sign once, enter, wait for the checkpoint, deliver until
// the destination has taken it, enter again. Each step starts from the state that the one before left,
// so a crash anywhere repeats at most a delivery, which the destination recognises by its id.
import { createHash } from 'node:crypto';
import {
  checkDelivery,
  DELIVERY_MINIMUM_COUNT,
  DELIVERY_PAYLOAD_TYPE,
  type Delivery,
} from '@bailiwick/contracts';
import { isCoded, parseEntryId, type RecordId, type TenantId, toInstant } from '@bailiwick/kernel';
import { type DsseEnvelope, signDsse } from '@bailiwick/keys';
import { CellError, DenialError } from '../errors.ts';
import { toProblem } from '../problem.ts';
import { toEntryRecords } from '../records/entry.ts';
import { findPerson } from '../records/sight.ts';
import type { CellRuntime } from '../runtime.ts';
import type { EntryDraft } from '../services.ts';
import { type AggregatePlan, Aggregation } from './aggregate.ts';
import { createCellSink } from './cell-sink.ts';
import type { Courier } from './courier.ts';
import { type Decided, decideFlows, isAboutOne, toFlows } from './decide-transfer.ts';
import { findReleased, insertRelease, toShape } from './figure-releases.ts';
import { createFileSink } from './file-sink.ts';
import { CHECKPOINT_MS_MAX, CHUNK_COUNT } from './limits.ts';
import { isWithin, type Period, toPeriod } from './period.ts';
import { type ReadRecord, readRecords } from './read-records.ts';
import { sendRecalls } from './recall-copies.ts';
import { type UnderstoodTransfer, understandTransfer } from './request-transfer.ts';
import { goOn, type RecordStep, startRecords, tellEnd } from './run-records.ts';
import { toTransferFacts } from './transfer-facts.ts';
import {
  countAttempt,
  findTransfer,
  hasNarrowed,
  type TransferRow,
  takeStep,
} from './transfer-store.ts';

export interface TransferPorts {
  readonly runtime: CellRuntime;
  readonly courier: Courier;
  /** Tests let the process die here. */
  readonly onStep?: (step: RecordStep) => void;
  /** Records of a chunk. */
  readonly chunkCount?: number;
}

/** Takes a transfer as far as it goes; throws when it is to be tried again. */
export async function runTransfer(
  ports: TransferPorts,
  place: { readonly tenantId: TenantId; readonly transferId: string },
): Promise<void> {
  const { runtime } = ports;
  await runtime.orders.prepare(place.tenantId);
  await countAttempt(runtime.database, place);
  for (;;) {
    const transfer = await findTransfer(runtime.database, place);
    if (transfer === undefined) return;
    try {
      const isOver = isRecords(transfer)
        ? await stepRecords(ports, transfer)
        : await stepFigures(ports, transfer);
      if (isOver) return;
    } catch (error) {
      if (!isFinal(error)) throw error;
      await refuseTransfer(runtime, transfer, error);
    }
  }
}

/** True where records leave one by one, and not a statement about all of them. */
function isRecords({ request }: TransferRow): boolean {
  return isAboutOne(request) && request.form !== 'aggregated' && request.form !== 'dp-aggregated';
}

/** One step on; true when there is none. */
async function stepFigures(ports: TransferPorts, transfer: TransferRow): Promise<boolean> {
  switch (transfer.state) {
    case 'accepted':
      await prepare(ports.runtime, transfer);
      return false;
    case 'prepared':
      await deliver(ports, transfer);
      return false;
    case 'delivered':
      await complete(ports.runtime, transfer);
      return false;
    default:
      return true;
  }
}

/** One step on; true when there is none. */
async function stepRecords(ports: TransferPorts, transfer: TransferRow): Promise<boolean> {
  const { runtime, courier, onStep } = ports;
  const directory = runtime.config.exports?.directory;
  const sink =
    transfer.request.kind === 'export' && directory !== undefined
      ? createFileSink(directory)
      : createCellSink(courier);
  const { chunkCount = CHUNK_COUNT } = ports;
  const parts = { runtime, sink, chunkCount, ...(onStep === undefined ? {} : { onStep }) };
  switch (transfer.state) {
    case 'accepted':
      await startRecords(parts, transfer);
      return false;
    case 'running':
      await goOn(parts, transfer);
      return false;
    case 'refused':
    case 'stopped':
      await tellEnd(parts, transfer);
      await sendRecalls(ports, transfer);
      return true;
    case 'completed':
      await sendRecalls(ports, transfer);
      return true;
    default:
      return true;
  }
}

/** A denial is final, except where the law is out of date or orders cannot be read: that passes. */
function isFinal(error: unknown): boolean {
  if (error instanceof DenialError) {
    const { cause } = error.decision;
    return cause !== 'charter-stale' && cause !== 'facts-unverified';
  }
  return [
    'TRANSFER_INVALID',
    'TRANSFER_UNSUPPORTED',
    'TRANSFER_FIGURES_RELEASED',
    'DELIVERY_REFUSED',
    'COLLECTION_UNKNOWN',
  ].some((code) => isCoded(error, code));
}

/** Decides anew for the labels that there are now. @throws {DenialError} */
async function decide(
  runtime: CellRuntime,
  { credential, request, conditions }: TransferRow,
): Promise<{
  readonly understood: Awaited<ReturnType<typeof understandTransfer>>;
  readonly allowed: Decided;
  readonly minimumCount: number;
}> {
  const understood = await understandTransfer(runtime, credential, request);
  return { understood, ...demandAllowed(runtime, { credential, request, conditions }, understood) };
}

/** @throws {DenialError} */
function demandAllowed(
  runtime: CellRuntime,
  { credential, request, conditions }: Pick<TransferRow, 'credential' | 'request' | 'conditions'>,
  understood: Awaited<ReturnType<typeof understandTransfer>>,
): { readonly allowed: Decided; readonly minimumCount: number } {
  const question = { credential, request, conditions, ...understood };
  const outcome = decideFlows(runtime, toFlows(runtime, question));
  if ('denied' in outcome) throw new DenialError(outcome.denied.decision);
  return outcome;
}

/** Whose records may go along: people can have withdrawn, objected, had their data restricted. */
function decidePeople(
  runtime: CellRuntime,
  { credential, request, conditions }: TransferRow,
  understood: UnderstoodTransfer,
): (record: ReadRecord) => boolean {
  const { collection } = understood;
  const asker = { credential, purpose: request.purpose };
  const known = new Map<string, boolean>();
  return (record) => {
    const { origin, regimes, subjectId } = record;
    const person = findPerson(runtime, asker, { collection, subjectId });
    if (person.standing === undefined && person.subjectId === undefined) return true;
    const id = `${toLabelText(record)} ${person.standing?.id ?? ''} ${person.subjectId ?? ''}`;
    const before = known.get(id);
    if (before !== undefined) return before;
    const labels = [{ origin, regimes }];
    const question = { credential, request, conditions, ...understood, labels, person };
    const flows = toFlows(runtime, question);
    const isAllowed = 'allowed' in decideFlows(runtime, flows);
    known.set(id, isAllowed);
    return isAllowed;
  };
}

async function prepare(runtime: CellRuntime, transfer: TransferRow): Promise<void> {
  const { understood, allowed, minimumCount } = await decide(runtime, transfer);
  const { collection, plan, labels } = understood;
  const { tenantId, transferId, request, credential } = transfer;
  if (plan === undefined) throw new CellError('TRANSFER_UNSUPPORTED', 'nothing to compute');
  const smallest = Math.max(plan.minimumCount, minimumCount, DELIVERY_MINIMUM_COUNT);
  const period = toAskedPeriod(request);
  const shape = toShape(request);
  const place = { tenantId, collectionId: collection.id };
  const wanted = { period, shape, minimumCount: smallest };
  const released = await findReleased(runtime.database, place, wanted);
  const figures =
    released === undefined
      ? await computeFigures(runtime, transfer, { ...understood, plan, smallest })
      : { ...released, recordIds: [], facts: { released: true } };
  const { groups, suppressedCount } = figures;
  const delivery = toDelivery(runtime, transfer, { collection, plan, smallest, groups });
  const { statement, statementHash } = sign(runtime, delivery);
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    ...runtime.enforcement.toDraft(credential, allowed),
    ...toRecords(figures.recordIds),
    facts: {
      ...toTransferFacts(transfer),
      step: 'prepared',
      statement: statementHash,
      groups: groups.length,
      suppressed: suppressedCount,
      ...figures.facts,
      labels: labels.map(({ origin }) => origin).sort(),
    },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    const isTaken = await takeStep(tx, transferId, {
      from: 'accepted',
      to: 'prepared',
      statement,
      statementHash,
      groupCount: groups.length,
      suppressedCount,
      receipt: entry,
    });
    if (!isTaken) return;
    if (period !== undefined && released === undefined) {
      const release = { ...{ period, shape, groups, suppressedCount, transferId } };
      await insertRelease(tx, place, { ...release, minimumCount: smallest });
    }
    await runtime.entries.insertPrepared(tx, [entry]);
  });
}

function toAskedPeriod({ aggregate }: TransferRow['request']): Period | undefined {
  return aggregate?.period === undefined ? undefined : toPeriod(aggregate.period);
}

/** Reads and counts; what the entry says of it beside the figures. */
async function computeFigures(
  runtime: CellRuntime,
  transfer: TransferRow,
  understood: UnderstoodTransfer & { readonly plan: AggregatePlan; readonly smallest: number },
): Promise<{
  readonly groups: Delivery['groups'];
  readonly suppressedCount: number;
  readonly recordIds: readonly RecordId[];
  readonly facts: Readonly<Record<string, number>>;
}> {
  const { collection, plan, labels, smallest } = understood;
  const { tenantId, request } = transfer;
  const aggregation = new Aggregation(plan);
  const decidedLabels = new Set(labels.map(toLabelText));
  const period = toAskedPeriod(request);
  let undecidedCount = 0;
  let withheldCount = 0;
  const isLetGo = decidePeople(runtime, transfer, understood);
  const selection = {
    tenantId,
    collection,
    where: request.selection.where ?? {},
    fields: plan.fields,
    // Decided again for each page: a mechanism that is suspended meanwhile stops it here.
    beforePage: () => demandAllowed(runtime, transfer, understood),
  };
  const { recordIds, unverifiedCount } = await readRecords(runtime, selection, (record) => {
    if (period !== undefined && !isWithin(period, record.lawDate)) return;
    // A label that came in since the decision was not decided on: it is not in this figure.
    if (!decidedLabels.has(toLabelText(record))) undecidedCount += 1;
    else if (isLetGo(record)) aggregation.add(record);
    else withheldCount += 1;
  });
  const { groups, suppressedCount, leftOutCount, cappedCount } = aggregation.finish(smallest);
  const leftOut = leftOutCount + undecidedCount;
  const counts = { leftOut, unverified: unverifiedCount, withheld: withheldCount };
  return { groups, suppressedCount, recordIds, facts: { ...counts, capped: cappedCount } };
}

function toDelivery(
  runtime: CellRuntime,
  { tenantId, transferId, request }: TransferRow,
  figures: {
    readonly collection: UnderstoodTransfer['collection'];
    readonly plan: AggregatePlan;
    readonly smallest: number;
    readonly groups: Delivery['groups'];
  },
): Delivery {
  const { collection, plan, smallest, groups } = figures;
  const { period, contributionMax } = request.aggregate ?? {};
  const edges = plan.dimensions.find((one) => one.edges !== undefined)?.edges;
  return checkDelivery({
    v: 1,
    deliveryId: transferId,
    from: runtime.cellId,
    tenantId,
    series: collection.id,
    purpose: request.purpose,
    at: toInstant(runtime.clock.nowMs()),
    minimumCount: smallest,
    groupBy: plan.dimensions.map(({ dimension }) => dimension),
    measures: plan.measures.map(({ measure }) => measure),
    ...(period === undefined ? {} : { period }),
    ...(contributionMax === undefined ? {} : { contributionMax }),
    ...(edges === undefined ? {} : { edges }),
    groups,
  });
}

const toLabelText = (label: {
  readonly origin: string;
  readonly regimes: readonly string[];
}): string => `${label.origin} ${label.regimes.join(' ')}`;

function toRecords(recordIds: Parameters<typeof toEntryRecords>[0]): Pick<EntryDraft, 'records'> {
  const records = toEntryRecords(recordIds);
  return records === undefined ? {} : { records };
}

/** INVARIANT 1: only what a cell computed, decided and signed leaves it. */
function sign(
  { secrets }: CellRuntime,
  delivery: Delivery,
): { readonly statement: DsseEnvelope; readonly statementHash: string } {
  const payload = Buffer.from(JSON.stringify(delivery));
  const signer = { keyId: secrets.keyId, privateKey: secrets.signingKey };
  return {
    statement: signDsse({ payloadType: DELIVERY_PAYLOAD_TYPE, payload }, [signer]),
    statementHash: createHash('sha256').update(payload).digest('hex'),
  };
}

async function deliver({ runtime, courier }: TransferPorts, transfer: TransferRow): Promise<void> {
  const { tenantId, transferId, statement, entryId, request } = transfer;
  if (statement === undefined || entryId === undefined) {
    throw new CellError('CELL_INTERNAL_FAULT', 'a prepared transfer has a statement and an entry');
  }
  // Decided again directly before it leaves; and INVARIANT 3: on record, under a signed checkpoint.
  await decide(runtime, transfer);
  await runtime.entries.awaitCheckpoint(parseEntryId(entryId), {
    timeoutMs: CHECKPOINT_MS_MAX,
    tenantId,
  });
  if (await hasNarrowed(runtime.database, transfer)) return withdraw(runtime, transfer);
  const remote = await courier.deliver(request.destination, statement);
  await runtime.database.withTenant(tenantId, async (tx) => {
    await takeStep(tx, transferId, {
      from: 'prepared',
      to: 'delivered',
      ...(remote === undefined ? {} : { remote }),
    });
  });
}

/**
 * Somebody in it has withdrawn, objected, been restricted or erased since it was computed: it does not
 * leave as it is. Before the first attempt to send it is computed anew; later nobody can say whether the
 * destination has it, and the same id must not name two statements.
 */
async function withdraw(runtime: CellRuntime, transfer: TransferRow): Promise<void> {
  const { tenantId, transferId, attemptCount } = transfer;
  if (attemptCount > 1) {
    throw new CellError('TRANSFER_INVALID', 'people in it have withdrawn since: ask for it anew');
  }
  await runtime.database.withTenant(tenantId, async (tx) => {
    await takeStep(tx, transferId, { from: 'prepared', to: 'accepted' });
  });
}

async function complete(runtime: CellRuntime, transfer: TransferRow): Promise<void> {
  const { tenantId, transferId, statementHash, remoteEntryId, remoteLeafHash } = transfer;
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    facts: {
      ...toTransferFacts(transfer),
      step: 'completed',
      ...(statementHash === undefined ? {} : { statement: statementHash }),
      ...(remoteEntryId === undefined ? {} : { remoteEntry: remoteEntryId }),
      ...(remoteLeafHash === undefined ? {} : { remoteLeaf: remoteLeafHash }),
    },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    const isTaken = await takeStep(tx, transferId, { from: 'delivered', to: 'completed' });
    if (isTaken) await runtime.entries.insertPrepared(tx, [entry]);
  });
}

async function refuseTransfer(
  runtime: CellRuntime,
  transfer: TransferRow,
  error: unknown,
): Promise<void> {
  const { tenantId, transferId, state } = transfer;
  const { code, detail, rules, reasons, nearest } = toProblem(error);
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'refusal',
    facts: { ...toTransferFacts(transfer), step: 'refused', code, rules: rules ?? [] },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    const isTaken = await takeStep(tx, transferId, {
      from: state,
      to: 'refused',
      problem: {
        code,
        detail,
        ...(rules === undefined ? {} : { rules }),
        ...(reasons === undefined ? {} : { reasons }),
        ...(nearest === undefined ? {} : { nearest }),
      },
      receipt: entry,
    });
    if (isTaken) await runtime.entries.insertPrepared(tx, [entry]);
  });
}
