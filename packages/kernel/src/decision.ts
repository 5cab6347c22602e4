// SPDX-License-Identifier: Apache-2.0
// What the charter says about a flow. A denial is a value, never an exception.

/** What an enforcement point must do on an allow; one it does not know or cannot fulfil is a deny. */
export const OBLIGATION_KINDS = [
  'mask',
  'redact',
  'tokenise',
  'pseudonymise',
  'aggregate',
  'noise',
  'log',
  'notify',
  'checkpoint',
] as const;
export type ObligationKind = (typeof OBLIGATION_KINDS)[number];

export interface Obligation {
  readonly kind: ObligationKind;
  /** For `aggregate`: smallest group. For `mask`: categories or field sets. Otherwise absent. */
  readonly minimumCount?: number;
  readonly categories?: readonly string[];
}

/** A rule that took part, in words a lawyer can check. */
export interface Reason {
  readonly rule: string;
  readonly because: string;
  /** Citation: `GDPR Art. 44`. */
  readonly source: string;
}

/** A change to the flow under which it would be allowed. */
export interface NearestFlow {
  /** In plain words: ``would be allowed as `aggregated` ``. */
  readonly words: string;
  readonly change: Readonly<Record<string, string>>;
  readonly rules: readonly string[];
}

/** Why the engine denied, beyond the rules. */
export const DENIAL_CAUSES = [
  'forbidden',
  'no-rule',
  'unknown-value',
  'obligation-unfulfillable',
  'charter-stale',
  'terms-narrower',
  'facts-unverified',
  'key-unavailable',
  'legal-order',
  'subject-standing',
  'counsel',
] as const;
export type DenialCause = (typeof DENIAL_CAUSES)[number];

export interface Decision {
  readonly outcome: 'allow' | 'deny';
  /** Ids of the rules that decided, in the charter's order. */
  readonly rules: readonly string[];
  readonly reasons: readonly Reason[];
  readonly obligations: readonly Obligation[];
  /** On deny only. */
  readonly cause?: DenialCause;
  /** On deny only: smallest changes first, at most three. */
  readonly nearest: readonly NearestFlow[];
  /** SHA-256 of the canonical charter, lower-case hex, and its serial. */
  readonly charter: { readonly hash: string; readonly serial: number };
  /** The other charter that was asked, in a canary: `charter` is the one whose answer holds. */
  readonly also?: {
    readonly hash: string;
    readonly serial: number;
    readonly outcome: 'allow' | 'deny';
  };
}
