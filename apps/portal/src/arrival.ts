// SPDX-License-Identifier: Apache-2.0

/** What came with the address: which organisation, or why a sign-in failed. */
export interface Arrival {
  readonly tenant: string | undefined;
  readonly problem: string | undefined;
}
