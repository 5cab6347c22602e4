// SPDX-License-Identifier: Apache-2.0
// How far a row was checked when it was made. `asOf` is the newest date for which the evidence speaks,
// not the day somebody typed it.

type Evidence = { readonly asOf: string; readonly confirmed: boolean };

/** Written from knowledge and not checked against a copy of anything: to be confirmed before use. */
export const RECALLED: Evidence = { asOf: '2025-01-31', confirmed: false };
/** Read in the official text or a publication about it, dated to February 2026. */
export const READ_2026_02: Evidence = { asOf: '2026-02-09', confirmed: true };
/** Read in the official text or a publication about it, dated to June 2026. */
export const READ_2026_06: Evidence = { asOf: '2026-06-02', confirmed: true };
/** Held against the codes and names of CLDR 48 (October 2025), which took them from ISO independently. */
export const CODES_READ: Evidence = { asOf: '2025-10-29', confirmed: true };
