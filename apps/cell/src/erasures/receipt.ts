// SPDX-License-Identifier: Apache-2.0
// The receipt of an erasure: two dates, what was reached, what was kept and why, what is proven and what is
// only said, and how to check. Signed by the cell; it holds no personal value and no key.
import { digestStatements } from '@bailiwick/evidence';
import { type CellId, toDate, toInstant } from '@bailiwick/kernel';
import { type DsseEnvelope, signDsse } from '@bailiwick/keys';
import type { CellSecrets } from '../cell-secrets.ts';
import type { ErasureProgress, ErasureRecord, KeptFields } from './erasure-store.ts';

export const ERASURE_RECEIPT_PAYLOAD_TYPE = 'application/vnd.bailiwick.erasure-receipt+json';
/** Days that backups are kept where the charter says nothing else. */
export const BACKUP_DAYS = 35;
const DAY_MS = 86_400_000;

/** What is signed. */
export interface ErasureStatement {
  readonly v: 1;
  readonly erasureId: string;
  readonly cell: CellId;
  readonly tenantId: string;
  /** A keyed pseudonym: nobody outside the tenant can tell whose. */
  readonly subjectId: string;
  readonly acceptedAt: string;
  /** From then on no process of the cell can open the person's sealed values. */
  readonly unreadableInServiceAt: string;
  /** Day on which the last backup ends that can hold blind indexes or plain fields of the person. */
  readonly unreadableInCopiesOn: string;
  readonly reached: {
    /** Records deleted, by collection. */
    readonly records: Readonly<Record<string, number>>;
    readonly unverifiedRecordsCount: number;
    readonly keyIds: readonly string[];
    readonly shredKeyIds: readonly string[];
    readonly survivorsCount: number;
    readonly replicas: readonly string[];
    readonly statementsHash: string;
  };
  readonly kept: readonly KeptFields[];
  readonly keptRecordsCount: number;
  readonly proven: readonly string[];
  readonly stated: readonly string[];
  readonly check: readonly string[];
}

const PROVEN = [
  'each replica of the erasable store has signed that the shred keys are destroyed; each process has signed that it dropped them, or its lease ran out',
  'that it was asked, that rows were deleted and that it was done are entries of the ledger, under a signed checkpoint',
] as const;

const CHECK = [
  'verify the signature of this receipt with the cell’s signing key from the directory',
  'verify the statements with the public keys of the replicas, and their hash with `statementsHash`',
  'export the ledger and verify it offline: the entries named in the answer are in it',
] as const;

function toStated(isExtractable: boolean): readonly string[] {
  return [
    ...(isExtractable
      ? [
          'whoever copied a replica of the erasable store before it was erased can still read: its keys are not held in hardware',
        ]
      : []),
    'copies that other cells hold are asked back and erased there, each with an entry of its own; files that were exported to providers are not reached',
    'plaintext that left the cell before, and the memory of stopped processes, are not reached',
    'values that applications sealed for their own databases under this person’s key are unreadable as well; of those nothing is kept',
    `backups end after ${BACKUP_DAYS} days; until then they hold blind indexes and plain fields of the deleted records, and no key that opens a sealed value`,
  ];
}

/** What the cell states of an erasure that is done. */
export function toStatement(
  cellId: CellId,
  erasure: Pick<ErasureRecord, 'erasureId' | 'tenantId' | 'subjectId' | 'acceptedAt'>,
  options: { readonly progress: ErasureProgress; readonly doneAtMs: number },
): ErasureStatement {
  const { progress, doneAtMs } = options;
  const { keys } = progress;
  return {
    v: 1,
    erasureId: erasure.erasureId,
    cell: cellId,
    tenantId: erasure.tenantId,
    subjectId: erasure.subjectId,
    acceptedAt: erasure.acceptedAt.toISOString(),
    unreadableInServiceAt: toInstant(keys?.doneAtMs ?? doneAtMs),
    unreadableInCopiesOn: toDate(doneAtMs + BACKUP_DAYS * DAY_MS),
    reached: {
      records: progress.deleted ?? {},
      unverifiedRecordsCount: progress.unverifiedCount ?? 0,
      keyIds: keys?.keyIds ?? [],
      shredKeyIds: keys?.retired ?? [],
      survivorsCount: keys?.survivorsCount ?? 0,
      replicas: (keys?.replicas ?? []).map(({ replicaId }) => replicaId),
      statementsHash: digestStatements(keys?.statements ?? []),
    },
    kept: progress.kept ?? [],
    keptRecordsCount: progress.keptRecordsCount ?? 0,
    proven: PROVEN,
    stated: toStated(keys?.isExtractable ?? true),
    check: CHECK,
  };
}

/** Signs a statement with the cell's signing key. */
export function signReceipt(
  { keyId, signingKey }: Pick<CellSecrets, 'keyId' | 'signingKey'>,
  statement: ErasureStatement,
): DsseEnvelope {
  const payload = Buffer.from(JSON.stringify(statement));
  const signer = { keyId, privateKey: signingKey };
  return signDsse({ payloadType: ERASURE_RECEIPT_PAYLOAD_TYPE, payload }, [signer]);
}
