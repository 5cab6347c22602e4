// SPDX-License-Identifier: Apache-2.0
// The flows of a transfer: one for each label of its records and each class of its fields. All must be
// allowed; what they oblige to adds up. Decided when it is asked for, when it is computed, and before
// each attempt to send: a suspended mechanism stops what is under way.
import type { TransferRequest } from '@bailiwick/contracts';
import {
  type Decision,
  type Destination,
  type Flow,
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
export function toFlows(
  runtime: CellRuntime,
  options: {
    readonly credential: Credential;
    readonly request: TransferRequest;
    readonly collection: CompiledCollection;
    readonly fields: readonly string[];
    readonly labels: readonly Label[];
    /** Absent: of nobody in particular. */
    readonly person?: Person;
  },
): TransferFlows {
  const { credential, request, collection, fields, labels } = options;
  const to = toDestination(runtime, request);
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
        ...options.person,
        origin,
        regimes,
        residency: toResidency(runtime.cellId),
        purpose: request.purpose,
        form: request.form,
        to,
        ...(request.mechanism === undefined ? {} : { mechanism: request.mechanism }),
      }),
    ),
  );
  return { credential, requests };
}

/** Decides all flows: the first denial, or the strictest allow and the largest group asked for. */
export function decideFlows(
  runtime: CellRuntime,
  { credential, requests }: TransferFlows,
):
  | { readonly allowed: Decided; readonly minimumCount: number }
  | { readonly denied: Decided; readonly request: FlowRequest } {
  let allowed: Decided | undefined;
  let minimumCount = 1;
  for (const request of requests) {
    const decided = runtime.enforcement.decide(credential, request);
    if (decided.decision.outcome === 'deny') return { denied: decided, request };
    allowed ??= decided;
    for (const obligation of decided.decision.obligations) {
      minimumCount = Math.max(minimumCount, obligation.minimumCount ?? 1);
    }
  }
  if (allowed === undefined) throw new CellError('TRANSFER_INVALID', 'nothing is selected');
  return { allowed, minimumCount };
}
