// SPDX-License-Identifier: Apache-2.0
// Rotations, requests that two people sign, staleness: on record before the key service is asked, and what
// came of it after (invariant 3).
import { createUuidV7, type EntryId, parseEntryId } from '@bailiwick/kernel';
import { isKeysCode, type KeyRequestAction, type RotationRow } from '@bailiwick/keys';
import type { KeyAdministration, KeyRequest } from '../key-service/api.ts';
import type { CellServices, Credential } from '../services.ts';
import { toActor } from './change-key.ts';
import { requireKeyTurn } from './roles.ts';

const CHECKPOINT_TIMEOUT_MS = 5_000;

/** Who asks, for the record. */
export interface Asker {
  readonly credential: Credential;
  readonly requestId: string;
}

type Facts = Readonly<Record<string, string | number | boolean>>;

/** Does `work` between two entries: that it was asked for, and what came of it. */
async function onRecord<T>(
  services: CellServices,
  { credential, requestId }: Asker,
  facts: Facts,
  work: () => Promise<{ readonly result: T; readonly facts: Facts }>,
): Promise<{ readonly result: T; readonly entries: readonly EntryId[] }> {
  requireKeyTurn(credential);
  const draft = { kind: 'key', actor: toActor(credential), request: requestId } as const;
  const record = (more: Facts): ReturnType<CellServices['entries']['record']> =>
    services.entries.record(credential.tenantId, { ...draft, facts: { ...facts, ...more } });
  const asked = await record({ step: 'asked' });
  let done: Awaited<ReturnType<typeof work>>;
  try {
    done = await work();
  } catch (error) {
    await record({ step: 'refused', code: isKeysCode(error) ? error.code : 'CELL_INTERNAL_FAULT' });
    throw error;
  }
  const entered = await record({ step: 'done', ...done.facts });
  await services.entries.awaitCheckpoint(entered.entryId, { timeoutMs: CHECKPOINT_TIMEOUT_MS });
  return { result: done.result, entries: [asked.entryId, entered.entryId] };
}

async function countRecords(services: CellServices, { tenantId }: Credential): Promise<number> {
  return services.database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<{ count: string }>(
      'SELECT count(*) FROM cell.records WHERE tenant_id = $1',
      [tenantId],
    );
    return Number(rows[0]?.count ?? 0);
  });
}

const factsOf = (action: KeyRequestAction): Facts => {
  const { kind, ...rest } = action;
  return { ask: kind, ...rest };
};

/** Asks for something that two people must sign. */
export async function requestKeyAction(
  services: CellServices,
  administration: KeyAdministration,
  asker: Asker,
  action: KeyRequestAction,
): Promise<KeyRequest> {
  requireKeyTurn(asker.credential);
  const { tenantId, account } = asker.credential;
  const requestId = parseEntryId(createUuidV7(services));
  const recordsCount = await countRecords(services, asker.credential);
  const facts = { ...factsOf(action), keyRequest: requestId };
  const { result } = await onRecord(services, asker, facts, async () => {
    const custody = services.law.current().termsOf(tenantId)?.keyCustody;
    const terms = custody === undefined ? {} : { custody };
    const wanted = { requestId, tenantId, action, account, recordsCount, terms };
    return { result: await administration.requestAction(wanted), facts: { records: recordsCount } };
  });
  return result;
}

/** Adds a person's signature; the last one needed has the request carried out. */
export async function signKeyAction(
  services: CellServices,
  administration: KeyAdministration,
  asker: Asker,
  signed: { readonly keyRequestId: string; readonly key: string; readonly signature: string },
): Promise<KeyRequest> {
  const { tenantId, account } = asker.credential;
  const { keyRequestId, key, signature } = signed;
  const facts = { ask: 'sign', keyRequest: keyRequestId, approver: key };
  const { result } = await onRecord(services, asker, facts, async () => {
    const wanted = { requestId: keyRequestId, tenantId, account, key, signature };
    const request = await administration.signRequest(wanted);
    return {
      result: request,
      facts: { state: request.state, signatures: request.signedBy.length },
    };
  });
  return result;
}

/** Takes a request back. */
export async function cancelKeyAction(
  services: CellServices,
  administration: KeyAdministration,
  asker: Asker,
  keyRequestId: string,
): Promise<KeyRequest> {
  const { tenantId } = asker.credential;
  const facts = { ask: 'cancel', keyRequest: keyRequestId };
  const { result } = await onRecord(services, asker, facts, async () => ({
    result: await administration.cancelRequest(keyRequestId, tenantId),
    facts: {},
  }));
  return result;
}

/** Begins a new version of a customer key or a tenant key. */
export async function rotateKey(
  services: CellServices,
  administration: KeyAdministration,
  asker: Asker,
  kind: RotationRow['kind'],
): Promise<RotationRow> {
  const { tenantId } = asker.credential;
  const rotationId = parseEntryId(createUuidV7(services));
  const facts = { ask: 'rotate', of: kind, rotation: rotationId };
  const { result } = await onRecord(services, asker, facts, async () => {
    const rotation = await administration.rotateKey({ rotationId, tenantId, kind });
    return { result: rotation, facts: { state: rotation.state, version: rotation.toVersion } };
  });
  return result;
}

/** A shorter staleness, at once. */
export async function shortenStaleness(
  services: CellServices,
  administration: KeyAdministration,
  asker: Asker,
  stalenessMs: number,
): Promise<void> {
  const { tenantId } = asker.credential;
  await onRecord(services, asker, { ask: 'staleness', stalenessMs }, async () => {
    await administration.shortenStaleness(tenantId, stalenessMs);
    return { result: undefined, facts: {} };
  });
}
