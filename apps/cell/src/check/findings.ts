// SPDX-License-Identifier: Apache-2.0
// What a check of a cell says: kinds of problems, each with the opaque ids that it is about, and counts of
// what was walked, because a check that saw nothing is no check.

/** What can be wrong. */
export const CHECK_PROBLEM_KINDS = [
  /** Positions of the log that no batch, or two batches, have. */
  'log-gap',
  /** A batch whose entries are not the ones that it counts. */
  'batch-incomplete',
  /** A body or salt that is not what the log commits to, or cannot be read. */
  'entry-changed',
  /** An entry that is neither in the log nor waiting for it. */
  'entry-adrift',
  /** Tiles, root or checkpoint that do not follow from the leaves. */
  'tree-broken',
  /** An entry that cannot be proved under the signed checkpoint. */
  'entry-unproved',
  /** Entries wait for their positions longer than they may. */
  'inbox-stuck',
  /** One version of a record on record twice. */
  'written-twice',
  'row-older',
  'row-changed',
  'row-unrecorded',
  'row-returned',
  'row-missing',
  /** A row whose entry is not there. */
  'row-without-entry',
  /** A sealed value whose seal is not this row's, or is unreadable. */
  'seal-foreign',
  /** Facts, plain fields or indexes that do not verify. */
  'facts-unverified',
  /** A sealed value that does not open under its key. */
  'value-unopened',
  /** A row sealed under a key that is not there. */
  'key-missing',
  /** A row of somebody whose key was erased. */
  'row-of-erased',
  /** A wrap that does not open. */
  'wrap-unopened',
  /** A shred key that was destroyed and is still in the erasable store. */
  'shred-key-left',
  /** Work that has stood in the middle for too long. */
  'transfer-unfinished',
  'erasure-unfinished',
  'key-change-unfinished',
  'request-unfinished',
  'job-stuck',
] as const;
export type CheckProblemKind = (typeof CHECK_PROBLEM_KINDS)[number];

export interface CheckProblem {
  readonly problem: CheckProblemKind;
  /** Opaque ids and numbers, never a value. */
  readonly about: string;
}

export interface CheckReport {
  readonly v: 1;
  readonly cell: string;
  readonly epoch: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly problemsCount: number;
  /** The first of them. */
  readonly problems: readonly CheckProblem[];
}

/** Problems told by name; the rest is only counted. */
const PROBLEMS_COUNT_MAX = 200;

/** Collects what a check finds. */
export class Findings {
  readonly #counts = new Map<string, number>();
  readonly #problems: CheckProblem[] = [];
  #problemsCount = 0;

  /** So many of something were walked. */
  count(what: string, count = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  add(problem: CheckProblemKind, about: string): void {
    this.#problemsCount += 1;
    if (this.#problems.length < PROBLEMS_COUNT_MAX) this.#problems.push({ problem, about });
  }

  toReport(of: Pick<CheckReport, 'cell' | 'epoch'>): CheckReport {
    return {
      v: 1,
      cell: of.cell,
      epoch: of.epoch,
      counts: Object.fromEntries(
        [...this.#counts].sort(([one], [other]) => (one < other ? -1 : 1)),
      ),
      problemsCount: this.#problemsCount,
      problems: this.#problems,
    };
  }
}
