// SPDX-License-Identifier: Apache-2.0
// A flow as a form holds it, and as the cell takes it. What the charter derives (home, laws) is derived.
import type { CellAnswer, PlaceAnswer, WireFlow } from '../api/types.ts';

export interface FlowDraft {
  readonly role: string;
  readonly action: string;
  readonly class: string;
  readonly category: string;
  readonly origin: string;
  readonly form: string;
  readonly to: string;
  readonly purpose: string;
  readonly mechanism: string;
  readonly consent: string;
}

/** Closed sets of the kernel, as far as a form offers them. */
export const FLOW_WORDS = {
  actions: ['read', 'write', 'delete', 'export', 'transfer', 'aggregate', 'replicate', 'support'],
  classes: ['restricted', 'sensitive', 'operational', 'public'],
  forms: [
    'plain',
    'tokenised',
    'pseudonymised',
    'aggregated',
    'dp-aggregated',
    'synthetic',
    'model-update',
    'anonymised',
    'origin-encrypted',
  ],
  consents: ['absent', 'given', 'withdrawn'],
} as const;

const ORIGINS: Readonly<Record<string, string>> = { eu: 'de', uk: 'uk', us: 'us', au: 'au' };

/** Something that is denied in most charters: people's addresses to another continent, for analytics. */
export function toDraft(residency: string): FlowDraft {
  const [continent = ''] = residency.split('-');
  return {
    role: 'analyst',
    action: 'export',
    class: 'restricted',
    category: 'contact',
    origin: ORIGINS[continent] ?? 'de',
    form: 'plain',
    to: residency === 'us-va' ? 'eu-de/main' : 'us-va/main',
    purpose: 'analytics',
    mechanism: '',
    consent: 'absent',
  };
}

/** As `POST /v1/decisions` takes it; the cell judges whether every word is known. */
export function toFlow(
  draft: FlowDraft,
  {
    cells,
    places,
  }: { readonly cells: readonly CellAnswer[]; readonly places: readonly PlaceAnswer[] },
): WireFlow {
  const place = places.find(({ origin }) => origin === draft.origin);
  const home = cells.find(({ cell }) => cell === place?.cell);
  const target = cells.find(({ cell }) => cell === draft.to);
  const flow = {
    actor: {
      kind: draft.role.endsWith('-service') ? 'workload' : 'person',
      role: draft.role,
      employer: 'controller',
      assurance: 'high',
      place: home?.location ?? draft.origin,
    },
    action: draft.action,
    data: {
      class: draft.class,
      categories: [draft.category],
      regimes: place?.regimes ?? [],
      origin: draft.origin,
      residency: home?.residency ?? '',
    },
    form: draft.form,
    to: {
      kind: 'cell',
      id: draft.to,
      location: target?.location ?? '',
      operator: target?.operator ?? '',
    },
    purpose: draft.purpose,
    ...(draft.mechanism === '' ? {} : { mechanism: draft.mechanism }),
    consent: draft.consent,
  };
  return flow as WireFlow;
}
