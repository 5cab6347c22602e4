// SPDX-License-Identifier: Apache-2.0
// What can be said to any command.

/** Options of every command. */
export interface GlobalOptions {
  readonly json?: boolean;
  readonly config?: string;
  readonly tenant?: string;
  readonly account?: string;
  readonly purpose?: string;
  readonly state?: string;
}
