// SPDX-License-Identifier: Apache-2.0
// A flow: what someone wants to do with data, where. Every movement of data is one (DESIGN, "The one
// idea"). Attributes are members of closed sets of the charter; open values enter as named conditions
// that the enforcement point computed, so that the space of flows is finite and can be enumerated.
import type { DataClass } from './label.ts';

/** What is done with the data. */
export const ACTIONS = [
  'ingest',
  'read',
  'search',
  'count',
  'update',
  'delete',
  'seal',
  'open',
  'export',
  'transfer',
  'backup',
  'replicate',
  'telemetry',
  'support',
  'erase',
  'relabel',
] as const;
export type Action = (typeof ACTIONS)[number];

/** What shape data has when it moves: the output of a transform this cell ran, never a caller's word. */
export const FORMS = [
  'plain',
  'tokenised',
  'pseudonymised',
  'aggregated',
  'dp-aggregated',
  'synthetic',
  'model-update',
  'anonymised',
  'origin-encrypted',
] as const;
export type Form = (typeof FORMS)[number];

export const DESTINATION_KINDS = ['cell', 'provider', 'control', 'device', 'reader'] as const;
export type DestinationKind = (typeof DESTINATION_KINDS)[number];

export const ACTOR_KINDS = ['workload', 'person'] as const;
export type ActorKind = (typeof ACTOR_KINDS)[number];

export const ASSURANCES = ['low', 'substantial', 'high'] as const;
/** Level of assurance of the sign-in (eIDAS Art. 8). */
export type Assurance = (typeof ASSURANCES)[number];

export const CONSENTS = ['given', 'withdrawn', 'absent'] as const;
export type Consent = (typeof CONSENTS)[number];

export interface Actor {
  readonly kind: ActorKind;
  readonly role: string;
  /** Who employs the actor: `controller`, `processor`, or another party the charter names. */
  readonly employer: string;
  readonly assurance: Assurance;
  /** Jurisdiction where the actor is: `de`, `us-va`. */
  readonly place: string;
}

export interface FlowData {
  readonly class: DataClass;
  /** Categories of the fields touched; decided element by element. */
  readonly categories: readonly string[];
  /** Regimes the data carries; decided element by element. */
  readonly regimes: readonly string[];
  /** Jurisdiction where it was collected. */
  readonly origin: string;
  /** Residency label, the home. */
  readonly residency: string;
}

export interface Destination {
  readonly kind: DestinationKind;
  /** Cell id or provider id where there is one. */
  readonly id?: string;
  /** Jurisdiction in which it stands (for a reader: where the reader is). */
  readonly location: string;
  /** Jurisdiction whose law can reach its operator. */
  readonly operator: string;
}

export interface Flow {
  readonly actor: Actor;
  readonly action: Action;
  readonly data: FlowData;
  readonly form: Form;
  readonly to: Destination;
  readonly purpose: string;
  /** Transfer mechanism invoked (`adequacy`, `scc`, …); absent when none. */
  readonly mechanism?: string;
  readonly consent: Consent;
  /** Named booleans that the enforcement point found true, sorted. */
  readonly conditions: readonly string[];
  /** Instant of the flow, milliseconds since 1970; expiries are judged by it. */
  readonly atMs: number;
}
