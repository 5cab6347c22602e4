// SPDX-License-Identifier: Apache-2.0
// Changes what holds of a person: facts, history and entry in one transaction; known in this process
// before the answer, told to the others when it commits.
import type { SubjectId, TenantId } from '@bailiwick/kernel';
import type { PoolClient } from 'pg';
import { toEntrySubject } from '../records/entry.ts';
import type { CellRuntime } from '../runtime.ts';
import type { EntryDraft, EntryReceipt } from '../services.ts';
import { digestFacts, type SubjectFacts, toFactsText, WHOLE_TENANT } from './facts.ts';
import { insertChange, lockFacts, writeFacts } from './standing-store.ts';

export type StandingServices = Pick<
  CellRuntime,
  'cellId' | 'clock' | 'random' | 'database' | 'keys' | 'entries' | 'standings' | 'feed'
>;

/** What becomes of the facts. */
export interface StandingEdit {
  readonly facts: SubjectFacts;
  /** Ids, names of the charter and instants only: it stands in the history and in the entry. */
  readonly change: Readonly<Record<string, string | number | boolean | readonly string[]>>;
}

export interface StandingWish {
  readonly tenantId: TenantId;
  readonly subjectId: SubjectId;
  /** `consent`, `objection`, … */
  readonly kind: string;
  readonly purpose?: string;
  /** True where less is allowed than before. */
  readonly isNarrower: boolean;
  readonly draft: Pick<EntryDraft, 'actor' | 'flow' | 'decision' | 'request'>;
  /** `undefined`: it is so already. Called with the row locked; has no effects. */
  readonly edit: (facts: SubjectFacts) => StandingEdit | undefined;
  /** More to write in the same transaction, with the row locked; false: nothing is to be changed. */
  readonly within?: (tx: PoolClient, changedAt: Date) => Promise<boolean>;
}

export interface StandingResult {
  readonly facts: SubjectFacts;
  readonly serial: number;
  /** Absent: nothing was changed. */
  readonly receipt?: EntryReceipt;
}

/** Changes a person's facts. @throws {KeysError} `KEYS_FACTS_UNVERIFIED` */
export async function changeStanding(
  services: StandingServices,
  wish: StandingWish,
): Promise<StandingResult> {
  const { tenantId, subjectId, kind, purpose, isNarrower, draft } = wish;
  const { factsKey } = await services.keys.secrets(tenantId);
  const result = await services.database.withTenant(tenantId, async (tx) => {
    const before = await lockFacts(tx, factsKey, { tenantId, subjectId });
    const edited = wish.edit(before.facts);
    if (edited === undefined) return before;
    const changedAt = new Date(services.clock.nowMs());
    const isGoing = wish.within === undefined || (await wish.within(tx, changedAt));
    if (!isGoing) return before;
    const { facts, change } = edited;
    const serial = before.serial + 1;
    const entry = services.entries.prepare(tenantId, {
      kind: 'standing',
      ...draft,
      ...(subjectId === WHOLE_TENANT ? {} : toEntrySubject(subjectId)),
      facts: {
        ...change,
        change: kind,
        ...(purpose === undefined ? {} : { purpose }),
        serial,
        standing: digestFacts(toFactsText(facts)),
      },
    });
    await writeFacts(tx, factsKey, { tenantId, subjectId, serial, facts });
    await insertChange(
      tx,
      { tenantId, subjectId },
      {
        ...{ serial, kind, isNarrower, change, changedAt, entryId: entry.entryId },
        ...(purpose === undefined ? {} : { purpose }),
      },
    );
    await services.entries.insertPrepared(tx, [entry]);
    await services.feed.publish(tx, { kind: 'standing', tenantId, id: subjectId });
    const receipt = { entryId: entry.entryId, leafHash: entry.leafHash };
    return { facts, serial, receipt };
  });
  // INVARIANT: no decision of this process from here on rests on what was before.
  services.standings.remember(tenantId, subjectId, result.facts);
  return result;
}
