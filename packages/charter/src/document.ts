// SPDX-License-Identifier: Apache-2.0
// The charter as it is written. These types and the schema in `schema.ts` say the same; a test holds
// them together.
import type {
  Action,
  ActorKind,
  Assurance,
  Consent,
  DataClass,
  DestinationKind,
  Form,
  ObligationKind,
} from '@bailiwick/kernel';

/** One value, several (any of them), or all but some. */
export type Choice<Value extends string> =
  | Value
  | readonly Value[]
  | { readonly not: Value | readonly Value[] };

/** Why, in words, and the citation that it rests on. */
export interface Grounded {
  readonly because: string;
  readonly source: string;
}

export interface CellClause {
  /** Jurisdiction in which it stands. */
  readonly location: string;
  /** Jurisdiction whose law can reach its operator. */
  readonly operator: string;
  /** From where its data is read day by day: what `home` means as a location; default: `location`. */
  readonly territory?: string | readonly string[];
  readonly means?: string;
}

export interface HomeClause extends Grounded {
  readonly cell: string;
  /** Regimes that data collected there carries: one to four. */
  readonly regimes: readonly string[];
  /** Who must have found the cell's country adequate for this to stand: checked against the atlas. */
  readonly adequacyBy?: string;
}

export interface OtherwiseClause extends Grounded {
  readonly cell: string;
  readonly regimes: readonly string[];
}

/** A named group of jurisdictions: its own list, what a decision of adequacy covers, or both. */
export interface PlaceClause {
  readonly means?: string;
  readonly members?: readonly string[];
  readonly adequacyBy?: string;
  /** With `adequacyBy`: only these, each of which must have a decision in force. */
  readonly only?: readonly string[];
}

export interface Meant {
  readonly means: string;
}

/** What a name means: the words alone, or under `means`. */
export type Meaning = string | Meant;

export interface PurposeClause extends Meant {
  readonly basis: readonly string[];
}

export interface RoleClause extends Meant {
  readonly kind?: ActorKind;
}

export interface ProviderClause extends Meant {
  readonly location: string;
  readonly operator: string;
}

export interface MechanismClause extends Meant {
  /** Regime to the atlas's id of the instrument that it recognises. */
  readonly under: Readonly<Record<string, string>>;
  /** First day (UTC). */
  readonly from?: string;
  /** First day on which it no longer holds (UTC). */
  readonly until?: string;
  /** Day or instant from which it is suspended. */
  readonly suspendedFrom?: string;
}

export interface RetentionClause extends Grounded {
  readonly category: string;
  /** Only data of this class; absent: of any. */
  readonly class?: DataClass;
  /** Only data collected in this jurisdiction or grouping; absent: anywhere. */
  readonly jurisdiction?: string;
  /** Such as `30d`, `18m`, `10y`. */
  readonly keepFor: string;
  readonly from: 'collection' | 'last-activity' | 'contract-end';
  /** A law asks that it be kept so long: an erasure keeps it until then, and no contract shortens it. */
  readonly required?: boolean;
}

export interface KeyClause extends Grounded {
  readonly custody: 'cell' | 'customer' | 'hold-your-own';
  readonly doubleKey?: boolean;
  readonly attestation?: boolean;
}

export interface ObligationClause {
  readonly kind: ObligationKind;
  readonly minimumCount?: number;
  readonly categories?: readonly string[];
}

/** What a flow must be for a rule to speak. Everything named must hold; what is not named does not matter. */
export interface FlowClause {
  readonly actor?: {
    readonly kind?: Choice<ActorKind>;
    readonly role?: Choice<string>;
    readonly employer?: Choice<string>;
    readonly assurance?: Choice<Assurance>;
    readonly place?: Choice<string>;
  };
  readonly action?: Choice<Action>;
  readonly data?: {
    readonly class?: Choice<DataClass>;
    readonly category?: Choice<string>;
    readonly regime?: Choice<string>;
    readonly origin?: Choice<string>;
    readonly residency?: Choice<string>;
  };
  readonly form?: Choice<Form>;
  readonly to?: {
    readonly kind?: Choice<DestinationKind>;
    /** A cell, a provider, or `home`: a cell of the data's own residency. */
    readonly id?: Choice<string>;
    /** `home` is the territory of the data's own cell. */
    readonly location?: Choice<string>;
    readonly operator?: Choice<string>;
  };
  readonly purpose?: Choice<string>;
  /** `none` is the absence of one. */
  readonly mechanism?: Choice<string>;
  readonly consent?: Choice<Consent>;
  /** Named conditions that must be true. */
  readonly given?: string | readonly string[];
  /** Named conditions that must not be true. */
  readonly unless?: string | readonly string[];
  /** First day (UTC). */
  readonly from?: string;
  /** First day on which it no longer holds (UTC). */
  readonly until?: string;
}

export interface RuleClause extends FlowClause, Grounded {
  /** The rule's id; one of `allow` and `forbid`. */
  readonly allow?: string;
  readonly forbid?: string;
  readonly obligations?: readonly ObligationClause[];
}

export interface ExceptionClause extends FlowClause {
  readonly exception: string;
  /** Rules (forbid) that do not apply to these flows until the end; empty: only allows. */
  readonly lifts?: readonly string[];
  readonly until: string;
  readonly approver: string;
  readonly reason: string;
  readonly source: string;
  readonly obligations?: readonly ObligationClause[];
}

export interface PropertyClause {
  readonly property: string;
  /** No such flow is ever allowed. */
  readonly never: FlowClause;
  readonly because: string;
}

/** A charter that has been parsed and found valid. */
export interface CharterDocument {
  readonly charter: 1;
  readonly name: string;
  readonly title?: string;
  /** Date of the atlas whose facts it rests on. */
  readonly atlas: string;
  /** Longest age of the law under which borders stay open, such as `60s`. */
  readonly freshFor?: string;
  readonly cells: Readonly<Record<string, CellClause>>;
  readonly homes: Readonly<Record<string, HomeClause>>;
  readonly refused?: Readonly<Record<string, Grounded>>;
  readonly otherwise?: OtherwiseClause;
  /** Other labels of countries in callers' data, such as `EIRE: ie`. */
  readonly names?: Readonly<Record<string, string>>;
  readonly places?: Readonly<Record<string, PlaceClause>>;
  /** Overlays that a datum can carry besides its home's regimes, such as `pci-dss`. */
  readonly regimes?: Readonly<Record<string, Meaning>>;
  readonly classes?: Readonly<Partial<Record<DataClass, Meaning>>>;
  readonly categories: Readonly<Record<string, Meaning>>;
  readonly purposes: Readonly<Record<string, PurposeClause>>;
  readonly roles: Readonly<Record<string, RoleClause>>;
  readonly employers: Readonly<Record<string, Meaning>>;
  readonly providers?: Readonly<Record<string, ProviderClause>>;
  readonly mechanisms?: Readonly<Record<string, MechanismClause>>;
  readonly conditions?: Readonly<Record<string, Meaning>>;
  readonly retention?: readonly RetentionClause[];
  readonly keys?: Readonly<Partial<Record<DataClass, KeyClause>>>;
  readonly rules: readonly RuleClause[];
  readonly exceptions?: readonly ExceptionClause[];
  readonly properties?: readonly PropertyClause[];
}
