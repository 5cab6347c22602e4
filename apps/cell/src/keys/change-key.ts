// SPDX-License-Identifier: Apache-2.0
// Disabling and enabling a customer key: on record, accepted, effective, on record with the receipts.
import { digestStatements } from '@bailiwick/evidence';
import { createUuidV7, type EntryId, type KeyId, parseEntryId, toInstant } from '@bailiwick/kernel';
import type { KeyState, SignedStatement } from '@bailiwick/keys';
import { keepReceipt } from '../evidence/receipt-store.ts';
import type { KeyAdministration } from '../key-service/api.ts';
import type { CellServices, Credential, EntryDraft } from '../services.ts';
import { requireKeyTurn } from './roles.ts';

/** A lease and its margin, and as much again for a key service that starts anew meanwhile. */
const EFFECTIVE_TIMEOUT_MS = 3_000;
const CHECKPOINT_TIMEOUT_MS = 5_000;

/** A change of a key as its caller sees it. */
export interface KeyChangeReceipt {
  readonly changeId: string;
  readonly keyId: KeyId;
  readonly kind: 'customer-key';
  readonly state: KeyState;
  readonly acceptedAt: string;
  /** Absent: not yet effective everywhere when the answer left. */
  readonly effectiveAt?: string;
  /** Of each process that held a lease: that it dropped the key, or that its lease ran out. */
  readonly receipts: readonly SignedStatement[];
  /** That it was asked for, and that it was done. */
  readonly entries: readonly EntryId[];
}

/** The actor of an entry. */
export function toActor(credential: Credential): NonNullable<EntryDraft['actor']> {
  const { account, kind, role, employer, assurance, place } = credential;
  return { account, kind, role, employer, assurance, place };
}

/**
 * Changes the state of a tenant's customer key. INVARIANT 3: the entry that it was asked for is durable
 * before the key is touched.
 */
export async function changeKey(
  services: CellServices,
  administration: KeyAdministration,
  wanted: {
    readonly credential: Credential;
    readonly keyId: KeyId;
    readonly to: KeyState;
    readonly requestId: string;
  },
): Promise<KeyChangeReceipt> {
  const { credential, keyId, to, requestId } = wanted;
  requireKeyTurn(credential);
  const { tenantId } = credential;
  const changeId = parseEntryId(createUuidV7(services));
  const facts = { change: changeId, key: keyId, to };
  const draft = { kind: 'key', actor: toActor(credential), request: requestId } as const;
  const asked = await services.entries.record(tenantId, {
    ...draft,
    facts: { ...facts, step: 'asked' },
  });
  const { entryId } = asked;
  await administration.changeState({ changeId, tenantId, keyId, to, entryId });
  const change = await administration.awaitChange(changeId, { timeoutMs: EFFECTIVE_TIMEOUT_MS });
  const acceptedAt = toInstant(change.acceptedAtMs);
  const effectiveAt =
    change.effectiveAtMs === undefined ? undefined : toInstant(change.effectiveAtMs);
  const done = await services.entries.record(tenantId, {
    ...draft,
    facts: {
      ...facts,
      step: effectiveAt === undefined ? 'accepted' : 'effective',
      acceptedAt,
      ...(effectiveAt === undefined ? {} : { effectiveAt }),
      receiptCount: change.statements.length,
      receiptHash: digestStatements(change.statements),
    },
  });
  const { statements } = change;
  await keepReceipt(services.database, { tenantId, entryId: done.entryId, statements });
  await services.entries.awaitCheckpoint(done.entryId, { timeoutMs: CHECKPOINT_TIMEOUT_MS });
  return {
    changeId,
    keyId,
    kind: 'customer-key',
    state: change.to,
    acceptedAt,
    ...(effectiveAt === undefined ? {} : { effectiveAt }),
    receipts: change.statements,
    entries: [asked.entryId, done.entryId],
  };
}
