// SPDX-License-Identifier: Apache-2.0
// Executes a copy or an export, chunk by chunk. Each chunk is decided, entered, sent, and counted once it
// was taken; whoever dies in between finds the last chunk that was counted and goes on after it. What the
// destination has taken it takes no second time, so the effect is there exactly once. The law is asked
// again for each chunk: a suspended mechanism or a withdrawn consent holds from the next one on.
import {
  TRANSFER_END_PAYLOAD_TYPE,
  TRANSFER_MANIFEST_PAYLOAD_TYPE,
  type TransferEnd,
  type TransferManifest,
} from '@bailiwick/contracts';
import { isCoded, parseCellId, parseEntryId, toInstant } from '@bailiwick/kernel';
import { type DsseEnvelope, signDsse } from '@bailiwick/keys';
import { CellError, DenialError } from '../errors.ts';
import { toEntryRecords } from '../records/entry.ts';
import type { CellRuntime } from '../runtime.ts';
import { firstDigest, hashChunk, nextDigest } from './chunk-hash.ts';
import { countChunk, enterChunk, isEntered, listParts } from './chunk-store.ts';
import { decideTransfer } from './decide-transfer.ts';
import { EXPORT_MANIFEST_PAYLOAD_TYPE, toExportManifest } from './export-manifest.ts';
import { CHECKPOINT_MS_MAX } from './limits.ts';
import { type MadeChunk, makeChunk } from './make-chunk.ts';
import { understandTransfer } from './request-transfer.ts';
import type { HashedChunk, Sink, SinkReceipt } from './sink.ts';
import { toTransferFacts } from './transfer-facts.ts';
import { type TransferRow, takeStep } from './transfer-store.ts';

/** Points after which a test lets the process die. */
export const RECORD_STEPS = [
  'started',
  'opened',
  'entered',
  'taken',
  'counted',
  'closed',
  'completed',
] as const;
export type RecordStep = (typeof RECORD_STEPS)[number];

export interface RecordPorts {
  readonly runtime: CellRuntime;
  readonly sink: Sink;
  /** Records of a chunk, at most. */
  readonly chunkCount: number;
  readonly onStep?: (step: RecordStep) => void;
}

/** From accepted to running: decided, signed, on record. @throws {DenialError} */
export async function startRecords(
  { runtime, onStep }: RecordPorts,
  transfer: TransferRow,
): Promise<void> {
  const { tenantId, transferId, request, credential, conditions } = transfer;
  const understood = await understandTransfer(runtime, credential, request);
  const question = { credential, request, conditions, ...understood };
  const verdict = decideTransfer(runtime, question);
  if ('denied' in verdict) throw new DenialError(verdict.denied.decision);
  if (verdict.missing.length > 0) {
    throw new CellError('TRANSFER_INVALID', 'the charter now asks for more than was approved');
  }
  const statement = signManifest(runtime, transfer, understood);
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    ...runtime.enforcement.toDraft(credential, verdict.allowed),
    facts: {
      ...toTransferFacts(transfer),
      step: 'started',
      labels: understood.labels.map(({ origin }) => origin).sort(),
      fields: understood.fields.length,
      conditions,
    },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    const step = { from: 'accepted', to: 'running', statement, receipt: entry } as const;
    if (await takeStep(tx, transferId, step)) await runtime.entries.insertPrepared(tx, [entry]);
  });
  onStep?.('started');
}

function signManifest(
  runtime: CellRuntime,
  transfer: TransferRow,
  { collection }: Awaited<ReturnType<typeof understandTransfer>>,
): DsseEnvelope {
  const { request, credential, tenantId, transferId, conditions, requestHash = '' } = transfer;
  const { kind, role, employer, assurance, place } = credential;
  const { mechanism, instrument, destination, form, purpose } = request;
  // An export has no other cell; its manifest is written when its parts are known.
  const to = destination.kind === 'cell' ? parseCellId(destination.id ?? '') : runtime.cellId;
  const manifest: TransferManifest = {
    v: 1,
    transferId,
    from: runtime.cellId,
    to,
    tenantId,
    kind: 'copy',
    form,
    purpose,
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(instrument === undefined ? {} : { instrument }),
    actor: { kind, role, employer, assurance, place },
    conditions,
    collection: { id: collection.id, schema: collection.schema },
    requestHash,
    at: toInstant(runtime.clock.nowMs()),
  };
  return sign(runtime, TRANSFER_MANIFEST_PAYLOAD_TYPE, manifest);
}

function sign({ secrets }: CellRuntime, payloadType: string, statement: object): DsseEnvelope {
  const signer = { keyId: secrets.keyId, privateKey: secrets.signingKey };
  return signDsse({ payloadType, payload: Buffer.from(JSON.stringify(statement)) }, [signer]);
}

/** Takes one chunk more; the last word when there is none. */
export async function goOn(ports: RecordPorts, transfer: TransferRow): Promise<void> {
  const { runtime, sink, onStep } = ports;
  if (transfer.chunkCount === 0) await open(ports, transfer);
  const made = await makeChunk(runtime, transfer, ports.chunkCount);
  if (made === undefined) {
    await finish(ports, transfer);
    return;
  }
  const hashed = { chunk: made.chunk, contentHash: hashChunk(made.chunk) };
  if (!(await enter(runtime, transfer, { made, hashed }))) return;
  onStep?.('entered');
  // SECURITY: decided once more directly before it leaves, and the keys are still ours to use (invariant 8).
  if (!(await made.isStillAllowed())) return;
  runtime.keys.assertUsable(transfer.tenantId);
  const receipt = await sink.take(transfer, hashed);
  runtime.keys.assertUsable(transfer.tenantId);
  onStep?.('taken');
  await count(runtime, transfer, { chunk: made.chunk.chunk, receipt });
  onStep?.('counted');
}

async function open({ runtime, sink, onStep }: RecordPorts, transfer: TransferRow): Promise<void> {
  const { statement, entryId } = transfer;
  if (statement === undefined || entryId === undefined) {
    throw new CellError('CELL_INTERNAL_FAULT', 'a running transfer has a manifest and an entry');
  }
  // INVARIANT 3: on record, under a signed checkpoint, before the first record leaves.
  await runtime.entries.awaitCheckpoint(parseEntryId(entryId), { timeoutMs: CHECKPOINT_MS_MAX });
  await sink.open(transfer, statement);
  onStep?.('opened');
}

/** INVARIANT 3: each chunk is on record before it leaves. */
function enter(
  runtime: CellRuntime,
  transfer: TransferRow,
  { made, hashed }: { readonly made: MadeChunk; readonly hashed: HashedChunk },
): Promise<boolean> {
  const { tenantId, credential } = transfer;
  const { chunk } = made.chunk;
  const { allowed, recordIds, subjectIds, withheldCount, leftOutCount } = made;
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    ...(allowed === undefined ? {} : runtime.enforcement.toDraft(credential, allowed)),
    records: toEntryRecords(recordIds),
    facts: {
      ...toTransferFacts(transfer),
      step: 'chunk',
      chunk,
      content: hashed.contentHash,
      withheld: withheldCount,
      leftOut: leftOutCount,
    },
  });
  const { contentHash } = hashed;
  const recordCount = recordIds.length;
  const entered = {
    chunk,
    contentHash,
    entry,
    recordCount,
    withheldCount,
    leftOutCount,
    subjectIds,
  };
  return runtime.database.withTenant(tenantId, async (tx) => {
    if (!(await enterChunk(tx, transfer, entered))) return false;
    await runtime.entries.insertPrepared(tx, [entry]);
    return true;
  });
}

async function count(
  runtime: CellRuntime,
  transfer: TransferRow,
  { chunk, receipt }: { readonly chunk: number; readonly receipt: SinkReceipt },
): Promise<void> {
  const { tenantId, transferId } = transfer;
  const { contentHash } = receipt;
  // SECURITY: the destination says what it took; it can only be something that was entered here.
  if (!(await isEntered(runtime.database, transfer, { chunk, contentHash }))) {
    throw new CellError('DELIVERY_REFUSED', 'the destination took something that was not sent');
  }
  const digest = nextDigest(transfer.digest ?? firstDigest(transferId), contentHash);
  await runtime.database.withTenant(tenantId, (tx) =>
    countChunk(tx, transfer, { chunk, receipt, digest }),
  );
}

/** All of it was taken: both cells say so, with the same counts and the same digest. */
async function finish(
  { runtime, sink, onStep }: RecordPorts,
  transfer: TransferRow,
): Promise<void> {
  const { tenantId, transferId, request, chunkCount, recordCount } = transfer;
  const digest = transfer.digest ?? firstDigest(transferId);
  const end =
    request.kind === 'export'
      ? sign(
          runtime,
          EXPORT_MANIFEST_PAYLOAD_TYPE,
          toExportManifest(runtime, transfer, await listParts(runtime.database, transfer)),
        )
      : signEnd(runtime, transfer, 'completed');
  const remote = await sink.close(transfer, end);
  onStep?.('closed');
  const entry = runtime.entries.prepare(tenantId, {
    kind: 'transfer',
    facts: {
      ...toTransferFacts(transfer),
      step: 'completed',
      chunks: chunkCount,
      records: recordCount,
      withheld: transfer.withheldCount,
      leftOut: transfer.leftOutCount,
      digest,
      ...(remote === undefined ? {} : { remoteEntry: remote.entryId, remoteLeaf: remote.leafHash }),
    },
  });
  await runtime.database.withTenant(tenantId, async (tx) => {
    const step = {
      from: 'running',
      to: 'completed',
      receipt: entry,
      ...(remote === undefined ? {} : { remote }),
      ...(request.kind === 'export' ? { statement: end } : {}),
    } as const;
    if (await takeStep(tx, transferId, step)) await runtime.entries.insertPrepared(tx, [entry]);
  });
  onStep?.('completed');
}

function signEnd(
  runtime: CellRuntime,
  transfer: TransferRow,
  outcome: TransferEnd['outcome'],
): DsseEnvelope {
  const { tenantId, transferId, chunkCount, recordCount } = transfer;
  const end: TransferEnd = {
    v: 1,
    transferId,
    from: runtime.cellId,
    tenantId,
    outcome,
    chunkCount,
    recordCount,
    digest: transfer.digest ?? firstDigest(transferId),
  };
  return sign(runtime, TRANSFER_END_PAYLOAD_TYPE, end);
}

/** Tells the destination that no more will come; what it has taken lawfully stays there. */
export async function tellEnd(
  { runtime, sink }: RecordPorts,
  transfer: TransferRow,
): Promise<void> {
  const { tenantId, transferId, state, statement, request, remoteEntryId } = transfer;
  if (statement === undefined || remoteEntryId !== undefined || request.kind !== 'copy') return;
  try {
    const remote = await sink.close(transfer, signEnd(runtime, transfer, 'stopped'));
    if (remote === undefined) return;
    await runtime.database.withTenant(tenantId, (tx) =>
      takeStep(tx, transferId, { from: state, to: state, remote }),
    );
  } catch (error) {
    // It never heard of it, or wants no more of it: there is nobody to tell.
    if (!isCoded(error, 'DELIVERY_REFUSED')) throw error;
  }
}
