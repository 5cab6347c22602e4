// SPDX-License-Identifier: Apache-2.0
// Near-misses: the name that was probably meant, and names that only look like another.

const LENGTH_MAX = 64;

/** Edits (insert, delete, replace, swap of neighbours) from one text to the other, or `max + 1`. */
export function countEdits(from: string, to: string, max: number): number {
  if (Math.abs(from.length - to.length) > max) return max + 1;
  if (from.length > LENGTH_MAX || to.length > LENGTH_MAX) return max + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const isSame = from[row - 1] === to[column - 1];
      let edits = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      if (
        row > 1 &&
        column > 1 &&
        from[row - 1] === to[column - 2] &&
        from[row - 2] === to[column - 1]
      ) {
        edits = Math.min(edits, (beforeLast[column - 2] ?? 0) + 1);
      }
      current.push(edits);
    }
    beforeLast = last;
    last = current;
  }
  return Math.min(last[to.length] ?? max + 1, max + 1);
}

/** The known name nearest to `name`, when one is near enough to have been meant. */
export function findNearest(name: string, known: Iterable<string>): string | undefined {
  const folded = toSkeleton(name);
  const max = Math.max(1, Math.min(3, Math.floor(name.length / 3)));
  let best: string | undefined;
  let bestEdits = max + 1;
  for (const candidate of known) {
    const edits = countEdits(folded, candidate, max);
    if (edits < bestEdits) {
      best = candidate;
      bestEdits = edits;
    }
  }
  return best;
}

// Letters of other scripts that look like Latin ones (Unicode UTS #39 confusables, the part that can be
// typed with common keyboards). NFKC takes care of full-width and mathematical letters.
const LOOKALIKES: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ['аɑα', 'a'],
    ['ьЬ', 'b'],
    ['сϲ', 'c'],
    ['ԁ', 'd'],
    ['её', 'e'],
    ['ɡ', 'g'],
    ['һ', 'h'],
    ['іıї', 'i'],
    ['ј', 'j'],
    ['кκ', 'k'],
    ['ӏ', 'l'],
    ['м', 'm'],
    ['пո', 'n'],
    ['оοօ', 'o'],
    ['рρ', 'p'],
    ['ԛ', 'q'],
    ['г', 'r'],
    ['ѕ', 's'],
    ['т', 't'],
    ['υս', 'u'],
    ['ν', 'v'],
    ['ԝ', 'w'],
    ['х', 'x'],
    ['у', 'y'],
    ['‐‑‒–—−', '-'],
  ].flatMap(([letters = '', latin = '']) => [...letters].map((letter) => [letter, latin])),
);

/** The text with look-alike letters replaced by the Latin ones, lower case. */
export function toSkeleton(text: string): string {
  return [...text.normalize('NFKC').toLowerCase()]
    .map((letter) => LOOKALIKES[letter] ?? letter)
    .join('');
}

/** True when the text has letters that pass for others, or none that can be seen. */
export function isLookalike(text: string): boolean {
  return toSkeleton(text) !== text.toLowerCase() || /[\p{Cf}\p{Cc}\p{Zl}\p{Zp}]/u.test(text);
}
