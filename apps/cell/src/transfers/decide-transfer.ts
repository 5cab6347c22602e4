// SPDX-License-Identifier: Apache-2.0
// The flows of a transfer: one for each label of its records and each class of its fields. All must be
// allowed; what they oblige to adds up. Decided when it is asked for, when it is computed, for each chunk
// and before each attempt to send: a suspended mechanism stops what is under way.
import type { TransferRequest } from '@bailiwick/contracts';
import {
  type Consent,
  type Decision,
  type Destination,
  type Flow,
  type Obligation,
  parseCellId,
  toResidency,
} from '@bailiwick/kernel';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { toClassGroups } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import type { HomeLabel } from '../records/label.ts';
import type { Person } from '../records/sight.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential, FlowRequest } from '../services.ts';

export interface Decided {
  readonly flow: Flow;
  readonly decision: Decision;
}

export type Label = Pick<HomeLabel, 'origin' | 'regimes'>;

export interface TransferFlows {
  readonly credential: Credential;
  readonly requests: readonly FlowRequest[];
}

/** What a transfer's flows are made of. */
export interface TransferQuestion {
  readonly credential: Credential;
  readonly request: TransferRequest;
  readonly collection: CompiledCollection;
  readonly fields: readonly string[];
  readonly labels: readonly Label[];
  /** Conditions of the charter that approvals have made true. */
  readonly conditions?: readonly string[];
  readonly consent?: Consent;
  /** Absent: of nobody in particular. */
  readonly person?: Person;
}

/** Where a transfer goes, with the places that the charter asks about. */
export function toDestination(runtime: CellRuntime, { destination }: TransferRequest): Destination {
  const { kind, id } = destination;
  const { charter } = runtime.law.current();
  const refuse = (detail: string): never => {
    throw new CellError('TRANSFER_INVALID', detail, {
      places: [{ pointer: '/destination/id', detail }],
    });
  };
  if (kind === 'control') {
    const place = runtime.config.control.jurisdiction ?? runtime.config.operator.jurisdiction;
    return { kind, location: place, operator: place };
  }
  if (id === undefined) return refuse('expected the id of the destination');
  const known =
    kind === 'cell'
      ? charter.cells.find((cell) => cell.id === parseCellId(id))
      : charter.providers.find((provider) => provider.id === id);
  if (known === undefined) return refuse('the charter does not know this destination');
  return { kind, id: known.id, location: known.location, operator: known.operator };
}

/** The flows of a transfer of these fields of these labels, strictest class first. */
export function toFlows(runtime: CellRuntime, question: TransferQuestion): TransferFlows {
  const { credential, request, collection, fields, labels, consent } = question;
  const to = toDestination(runtime, request);
  const conditions = [...(question.conditions ?? []), ...toFigureConditions(runtime, request)];
  const touched = collection.fieldSets.filter((set) =>
    fields.some((name) => collection.fields.get(name)?.fieldSet.at === set.at),
  );
  // A count without fields is still about the records: all of their classes.
  const groups = toClassGroups(touched.length === 0 ? collection.fieldSets : touched);
  const requests = groups.flatMap((group) =>
    labels.map(
      ({ origin, regimes }): FlowRequest => ({
        action: request.kind === 'export' ? 'export' : 'transfer',
        ...group,
        ...question.person,
        origin,
        regimes,
        residency: toResidency(runtime.cellId),
        purpose: request.purpose,
        form: request.form,
        to,
        ...(request.mechanism === undefined ? {} : { mechanism: request.mechanism }),
        ...(conditions.length === 0 ? {} : { conditions: [...new Set(conditions)].sort() }),
        ...(consent === undefined ? {} : { consent }),
      }),
    ),
  );
  return { credential, requests };
}

/**
 * Conditions that a figure's own shape makes true, where the charter names them: `fixed-period` (it is of
 * one calendar period that has ended) and `bounded-contribution` (so many records of one person, each
 * measure cut on both sides).
 */
function toFigureConditions(
  { law }: CellRuntime,
  { aggregate }: TransferRequest,
): readonly string[] {
  if (aggregate === undefined) return [];
  const isCut = aggregate.measures.every(
    (one) => typeof one !== 'string' && one.min !== undefined && one.max !== undefined,
  );
  const found = [
    ...(aggregate.period === undefined ? [] : ['fixed-period']),
    ...(aggregate.contributionMax === undefined || !isCut ? [] : ['bounded-contribution']),
  ];
  const { conditions } = law.current().charter;
  return found.filter((name) => conditions.includes(name));
}

export interface AllowedFlows {
  readonly allowed: Decided;
  readonly minimumCount: number;
  readonly obligations: readonly Obligation[];
}

export interface DeniedFlows {
  readonly denied: Decided;
  readonly request: FlowRequest;
}

/** Decides all flows: the first denial, or the strictest allow with all that is obliged to. */
export function decideFlows(
  runtime: CellRuntime,
  { credential, requests }: TransferFlows,
): AllowedFlows | DeniedFlows {
  let allowed: Decided | undefined;
  let minimumCount = 1;
  const obligations = new Map<string, Obligation>();
  for (const request of requests) {
    const decided = runtime.enforcement.decide(credential, request);
    if (decided.decision.outcome === 'deny') return { denied: decided, request };
    allowed ??= decided;
    for (const obligation of decided.decision.obligations) {
      minimumCount = Math.max(minimumCount, obligation.minimumCount ?? 1);
      obligations.set(JSON.stringify(obligation), obligation);
    }
  }
  if (allowed === undefined) throw new CellError('TRANSFER_INVALID', 'nothing is selected');
  return { allowed, minimumCount, obligations: [...obligations.values()] };
}

/**
 * Conditions that a signature makes true, where a charter names them: `transfer-approved` by the keys that
 * are pinned in this cell, `tenant-instructed` by a key of one of the tenant's administrators.
 */
export const APPROVABLE: readonly string[] = ['tenant-instructed', 'transfer-approved'];

/** What the charter says of a transfer as a whole. */
export type TransferVerdict =
  | (AllowedFlows & {
      /** Approvals without which it is denied. */
      readonly missing: readonly string[];
      /** Only records of people who have consented may go. */
      readonly needsConsent: boolean;
    })
  | DeniedFlows;

/**
 * Decides a transfer. What is denied as it stands is tried with the people's consent, and with approvals
 * that the charter has words for: both are then asked for, record by record and signature by signature.
 */
export function decideTransfer(runtime: CellRuntime, question: TransferQuestion): TransferVerdict {
  const granted = question.conditions ?? [];
  const { charter } = runtime.law.current();
  const open = APPROVABLE.filter(
    (name) => charter.conditions.includes(name) && !granted.includes(name),
  );
  const tries = [[], ...open.map((name) => [name]), ...(open.length > 1 ? [open] : [])];
  const consents: readonly Consent[] = isAboutOne(question.request)
    ? ['absent', 'given']
    : ['absent'];
  let denied: DeniedFlows | undefined;
  for (const missing of tries) {
    const conditions = [...granted, ...missing].sort();
    for (const consent of consents) {
      const outcome = decideFlows(runtime, toFlows(runtime, { ...question, conditions, consent }));
      if ('allowed' in outcome) return { ...outcome, missing, needsConsent: consent === 'given' };
      denied ??= outcome;
    }
  }
  if (denied === undefined) throw new CellError('TRANSFER_INVALID', 'nothing is selected');
  return denied;
}

/** True where records leave one by one, each with a person of its own. */
export function isAboutOne({ kind }: TransferRequest): boolean {
  return kind === 'copy' || kind === 'export' || kind === 'move' || kind === 'standby';
}
