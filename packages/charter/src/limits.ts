// SPDX-License-Identifier: Apache-2.0
// Every bound of this room.

/** Largest charter text, one file. */
export const CHARTER_SIZE_BYTES_MAX = 1_048_576;
/** Most files that one charter includes, itself counted. */
export const CHARTER_FILE_COUNT_MAX = 16;
/** Most rules and exceptions. */
export const RULE_COUNT_MAX = 2_000;
/** Most conjunctions that the rules come to once written out. */
export const VARIANT_COUNT_MAX = 8_192;
/** Most named conditions: each is one bit of a flow. */
export const CONDITION_COUNT_MAX = 16;
/** Most problems listed; the rest are counted. */
export const PROBLEM_COUNT_MAX = 100;
/** Deepest nesting of the YAML text. */
export const YAML_DEPTH_MAX = 32;
/** Most instants at which the law changes. */
export const INSTANT_COUNT_MAX = 256;
/** Longest freshness statement. */
export const FRESH_FOR_MS_MAX = 86_400_000;
/** Most partial states kept while a space is walked. */
export const SPACE_STATE_COUNT_MAX = 1_000_000;
/** Most steps in the search for a flow that a rule still decides. */
export const ESCAPE_STEP_COUNT_MAX = 200_000;
/** Most cases of one file of tests. */
export const TEST_CASE_COUNT_MAX = 5_000;
/** Most values and list items that variables put in. */
export const VARIABLE_INSERTIONS_COUNT_MAX = 20_000;
