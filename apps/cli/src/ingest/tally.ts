// SPDX-License-Identifier: Apache-2.0
// What became of a file: per cell, per country, and each refused line with its reason.
import type { RefusedLine } from '@bailiwick/contracts';
import { REFUSED_TOLD_COUNT_MAX } from './limits.ts';
import type { ChunkOutcome } from './send.ts';

export interface CountryTally {
  readonly country: string;
  /** Absent where the country has no home. */
  readonly cell: string | undefined;
  lines: number;
  refused: number;
}

export interface CellTally {
  readonly cell: string;
  accepted: number;
  unchanged: number;
  refused: number;
}

export interface Tally {
  lineCount: number;
  refusedCount: number;
  /** Records about no known person. */
  withoutSubjectCount: number;
  readonly countries: Map<string, CountryTally>;
  readonly cells: Map<string, CellTally>;
  readonly refused: RefusedLine[];
  addLine(route: { readonly country: string; readonly cell: string | undefined }): void;
  refuse(line: RefusedLine, country?: string): void;
  addOutcome(outcome: ChunkOutcome, cell: string): void;
  /** One record that is known to be there. */
  addUnchanged(cell: string): void;
}

export function createTally(): Tally {
  const countries = new Map<string, CountryTally>();
  const cells = new Map<string, CellTally>();
  const rowOf = (cell: string): CellTally => {
    const row = cells.get(cell) ?? { cell, accepted: 0, unchanged: 0, refused: 0 };
    cells.set(cell, row);
    return row;
  };
  const tally: Tally = {
    lineCount: 0,
    refusedCount: 0,
    withoutSubjectCount: 0,
    countries,
    cells,
    refused: [],
    addLine({ country, cell }) {
      const row = countries.get(country) ?? { country, cell, lines: 0, refused: 0 };
      row.lines += 1;
      countries.set(country, row);
    },
    refuse(line, country) {
      tally.refusedCount += 1;
      const row = country === undefined ? undefined : countries.get(country);
      if (row !== undefined) row.refused += 1;
      if (tally.refused.length < REFUSED_TOLD_COUNT_MAX) tally.refused.push(line);
    },
    addUnchanged(cell) {
      rowOf(cell).unchanged += 1;
    },
    addOutcome({ result, countries: countryOf }, cell) {
      const row = rowOf(cell);
      row.accepted += result.accepted;
      row.unchanged += result.unchanged;
      row.refused += result.refusedCount;
      for (const line of result.refused) tally.refuse(line, countryOf.get(line.line));
    },
  };
  return tally;
}

/** Refused lines by reason, the most frequent first, with the first line numbers of each. */
export function groupRefused(refused: readonly RefusedLine[]): readonly {
  readonly code: string;
  readonly detail: string;
  readonly count: number;
  readonly lines: readonly number[];
}[] {
  const groups = new Map<
    string,
    { code: string; detail: string; count: number; lines: number[] }
  >();
  for (const { code, detail, line } of refused) {
    const key = `${code} ${detail}`;
    const group = groups.get(key) ?? { code, detail, count: 0, lines: [] };
    group.count += 1;
    if (group.lines.length < 10) group.lines.push(line);
    groups.set(key, group);
  }
  return [...groups.values()].sort((one, other) => other.count - one.count);
}
