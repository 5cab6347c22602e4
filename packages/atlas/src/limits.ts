// SPDX-License-Identifier: Apache-2.0

/** Longest text that is looked up as a name; the longest alias in the atlas is far shorter. */
export const NAME_TEXT_LENGTH_MAX = 120;
/** Longest text for which near misses are computed (edit distance costs its square). */
export const SUGGESTION_TEXT_LENGTH_MAX = 60;
/** Most suggestions given. */
export const SUGGESTION_COUNT_MAX = 3;
/** Deepest chain of `partOf`: territory, country, grouping. */
export const PART_OF_DEPTH_MAX = 4;
