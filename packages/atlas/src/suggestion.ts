// SPDX-License-Identifier: Apache-2.0
// Near misses, for people who correct a list: never used to decide. A name that only looks like a known
// one (letters of another script) is told apart from one that is spelt wrongly.

import { listJurisdictions, namesOf, toNameForm } from './jurisdiction.ts';
import { SUGGESTION_COUNT_MAX, SUGGESTION_TEXT_LENGTH_MAX } from './limits.ts';
import type { Jurisdiction } from './row.ts';

/** A jurisdiction somebody may have meant. */
export interface JurisdictionSuggestion {
  readonly jurisdiction: Jurisdiction;
  /** The name it is near to. */
  readonly name: string;
  /** True when the text differs only by accents or by letters that look alike in other scripts. */
  readonly isLookalike: boolean;
}

// Cyrillic and Greek letters drawn like Latin ones (from Unicode TR39's confusables, lower case, the
// common ones). Used for suggestions alone: look-up never folds them.
const LOOKALIKES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    а: 'a',
    в: 'b',
    с: 'c',
    ԁ: 'd',
    е: 'e',
    ѐ: 'e',
    ё: 'e',
    ғ: 'f',
    һ: 'h',
    і: 'i',
    ї: 'i',
    ј: 'j',
    к: 'k',
    ӏ: 'l',
    м: 'm',
    н: 'h',
    о: 'o',
    р: 'p',
    ԛ: 'q',
    г: 'r',
    ѕ: 's',
    т: 't',
    у: 'y',
    ѵ: 'v',
    ԝ: 'w',
    х: 'x',
    α: 'a',
    β: 'b',
    ε: 'e',
    η: 'n',
    ι: 'i',
    κ: 'k',
    ν: 'v',
    ο: 'o',
    ρ: 'p',
    τ: 't',
    υ: 'u',
    χ: 'x',
    ı: 'i',
    ł: 'l',
    ø: 'o',
    đ: 'd',
  }),
);

/** What a hurried reader sees: accents, marks and script taken away. */
function toSkeleton(text: string): string {
  const bare = toNameForm(text)
    .normalize('NFD')
    .replace(/[\p{M}\p{Cf}]/gu, '');
  return [...bare].map((letter) => LOOKALIKES.get(letter) ?? letter).join('');
}

const skeletons: readonly (readonly [skeleton: string, name: string, of: Jurisdiction])[] =
  listJurisdictions().flatMap((jurisdiction) =>
    namesOf(jurisdiction)
      .filter((name) => name.length > 3)
      .map((name) => [toSkeleton(name), name, jurisdiction] as const),
  );

/** Edits (insert, delete, replace) from one text to the other, or `limit + 1` when more. */
function countEdits(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? limit + 1;
}

/**
 * Up to three jurisdictions that `text` may mean, nearest first; empty when nothing is near or the text
 * is too long or too short to tell. `text` may come from a stranger. The answer is for a person to choose
 * from: nothing may be routed by it.
 */
export function suggestJurisdiction(text: string): readonly JurisdictionSuggestion[] {
  if (text.length > SUGGESTION_TEXT_LENGTH_MAX) return [];
  const wanted = toSkeleton(text);
  if (wanted.length < 3) return [];
  const limit = wanted.length < 6 ? 1 : 2;
  const nearest = new Map<string, JurisdictionSuggestion & { readonly edits: number }>();
  for (const [skeleton, name, jurisdiction] of skeletons) {
    const edits = countEdits(wanted, skeleton, limit);
    const known = nearest.get(jurisdiction.id);
    if (edits > limit || (known !== undefined && known.edits <= edits)) continue;
    nearest.set(jurisdiction.id, { jurisdiction, name, isLookalike: edits === 0, edits });
  }
  return [...nearest.values()]
    .sort((left, right) => left.edits - right.edits || (left.name < right.name ? -1 : 1))
    .slice(0, SUGGESTION_COUNT_MAX)
    .map(({ jurisdiction, name, isLookalike }) => ({ jurisdiction, name, isLookalike }));
}
