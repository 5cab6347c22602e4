// SPDX-License-Identifier: Apache-2.0
// What a row of each table says. Types only, so that tables and questions both can import them.

/** Where a fact comes from and how far it can be relied on. */
export interface Sourced {
  /** Official citation: act, decision, gazette or the publisher's own list. */
  readonly source: string;
  /** Newest date on which the fact is known to have held (`2026-11-20`). */
  readonly asOf: string;
  /** True when read in a copy of the source or of a publication about it while this row was made. */
  readonly confirmed: boolean;
}

/** A fact in force from one day to another, both included. */
export interface Dated {
  /** First day in force. */
  readonly from: string;
  /** Last day in force; absent while no end is known. */
  readonly until?: string;
}

/** What sort of place a jurisdiction is. */
export type JurisdictionKind = 'country' | 'territory' | 'subdivision' | 'grouping';

/** A territory with its law: `de`, `us-ca`, `eu`. */
export interface Jurisdiction extends Sourced {
  readonly id: string;
  /** ISO 3166-1 alpha-2 or ISO 3166-2; absent for groupings. */
  readonly iso?: string;
  /** ISO 3166-1 alpha-3; countries and territories only. */
  readonly iso3?: string;
  readonly name: string;
  readonly kind: JurisdictionKind;
  /** Undated containers whose law it keeps as a part (`us-ca` → `us`, `gp` → `fr`). */
  readonly partOf: readonly string[];
  /** Further names that find it; id, ISO codes and name find it too. */
  readonly aliases: readonly string[];
}

export interface SubdivisionRow extends Sourced {
  readonly id: string;
  /** ISO 3166-2; absent where there is none. */
  readonly iso?: string;
  readonly name: string;
  readonly partOf: readonly string[];
  readonly aliases: readonly string[];
}

export interface GroupingRow extends Sourced {
  readonly id: string;
  readonly name: string;
  readonly aliases: readonly string[];
}

export interface Membership extends Dated, Sourced {
  readonly grouping: string;
  readonly member: string;
}

/** Members that joined (and left) together: first day, source, ids, last day. */
export type MembershipWave = readonly [
  from: string,
  source: string,
  members: string,
  until?: string,
];

/** How far a decision reaches: every recipient, or only some; then `conditions` says which. */
export type AdequacyReach = 'full' | 'partial';

/** One decision of adequacy (or a legal fiction to the same effect, named in `instrument`). */
export interface Adequacy extends Dated, Sourced {
  readonly id: string;
  /** Who decided, by jurisdiction: `eu`, `uk`, `ch`, `jp`, … */
  readonly by: string;
  /** Jurisdiction found adequate; may be a grouping (`eea`). */
  readonly to: string;
  readonly instrument: string;
  readonly reach: AdequacyReach;
  /** Which transfers it covers, in words. */
  readonly scope: string;
  /** Day by which the decision itself asks for a review, where it names one. */
  readonly reviewBy?: string;
  /** What a recipient or exporter must fulfil for the decision to apply. */
  readonly conditions?: string;
}

/** `general`: personal data at large; `sector`: some categories; `assurance`: a scheme to be certified under. */
export type RegimeKind = 'general' | 'sector' | 'assurance';

/** A law or scheme that a datum can carry. */
export interface Regime extends Dated, Sourced {
  readonly id: string;
  readonly name: string;
  readonly kind: RegimeKind;
  /** Place whose law it is; absent for a worldwide private standard (`pci-dss`). */
  readonly jurisdiction?: string;
  /** Places where it held or holds beside its own, each with its days (the GDPR in the EEA). */
  readonly elsewhere?: readonly (Dated & { readonly jurisdiction: string })[];
  readonly instrument: string;
  /** Whom and what it reaches, in words. */
  readonly appliesTo: string;
  /** Categories of data it is about; absent when it is about personal data at large. */
  readonly categories?: readonly string[];
}

/**
 * What sort of way out: `adequacy` (the place is found good enough), `safeguard` (the parties bind
 * themselves), `approval` (an authority says yes beforehand), `notification` (an authority is told),
 * `derogation` (an exception for a specific situation), `open` (free unless a negative list names the place).
 */
export type TransferInstrumentKind =
  | 'adequacy'
  | 'safeguard'
  | 'approval'
  | 'notification'
  | 'derogation'
  | 'open';

/** A way in which a regime lets personal data leave. Ids are unique over all regimes. */
export interface TransferInstrument extends Dated, Sourced {
  readonly id: string;
  /** Id of the regime that recognises it. */
  readonly regime: string;
  readonly name: string;
  readonly kind: TransferInstrumentKind;
  /** Where in the regime it stands. */
  readonly article: string;
  /** What must be so for it to carry a transfer, in words. */
  readonly requires: string;
  /** Forms it comes in, such as the modules of the standard contractual clauses. */
  readonly variants?: readonly string[];
}

/**
 * `onshore`: may not be held or taken outside; `onshore-copy`: a copy must be kept inside, another may
 * leave; `export-approval`: an authority must approve first; `export-ban`: may not reach the places in
 * `notTo`.
 */
export type LocalisationKind = 'onshore' | 'onshore-copy' | 'export-approval' | 'export-ban';

/** A rule of law that keeps data in a place, or out of some. */
export interface LocalisationRule extends Dated, Sourced {
  readonly id: string;
  readonly jurisdiction: string;
  readonly kind: LocalisationKind;
  readonly instrument: string;
  /** Whose and which data, in words. */
  readonly appliesTo: string;
  readonly categories?: readonly string[];
  /** Places that `export-ban` is about. */
  readonly notTo?: readonly string[];
  /** Place within which it must stay, where that is larger than `jurisdiction`. */
  readonly within?: string;
}

/** A provider's region: the country it stands in and whose law can reach its operator. */
export interface CloudRegion extends Sourced {
  /** Provider as this atlas writes it: `aws`, `azure`, `google-cloud`, `ovhcloud`, … */
  readonly provider: string;
  /** The provider's own code for the region. */
  readonly region: string;
  /** City or area, for people. */
  readonly place: string;
  /** Where it stands: the most specific jurisdiction this atlas has. */
  readonly jurisdiction: string;
  /** Company that runs it. */
  readonly operator: string;
  /** Seat of the operator. */
  readonly operatorJurisdiction: string;
  /** Jurisdictions whose law can reach the operator, by its seat or by who controls it. */
  readonly reachableFrom: readonly string[];
}

/** A length of time as laws count it. */
export interface DeadlineSpan {
  readonly count: number;
  readonly unit: 'months' | 'days' | 'working-days';
}

/** How soon a person who uses a right must have an answer under a regime. */
export interface RequestDeadline extends Sourced {
  readonly regime: string;
  readonly answerWithin: DeadlineSpan;
  /** By how much it can be put off once, where the person is told why in time. */
  readonly extensionBy?: DeadlineSpan;
  readonly article: string;
  readonly note?: string;
}
