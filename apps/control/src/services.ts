// SPDX-License-Identifier: Apache-2.0
// What the capability folders of the control plane share.

import type { Clock, Random } from '@bailiwick/kernel';
import type { DsseSigner } from '@bailiwick/keys';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';

/** A transaction, as the database adapter gives it. */
export type Transaction = Parameters<Parameters<Database['withTransaction']>[0]>[0];

/** Tells those who wait that something changed. */
export interface Changes {
  /** Grows the revision inside a transaction that changes something. */
  mark(tx: Transaction): Promise<void>;
  /** Wakes who waits; called after the transaction has committed. */
  announce(): void;
  /** Resolves at the next change, at the latest after `timeoutMs`, or when the process stops. */
  wait(timeoutMs: number): Promise<void>;
}

export interface ControlServices {
  readonly clock: Clock;
  readonly random: Random;
  readonly database: Database;
  readonly signer: DsseSigner;
  /** Public half of `signer`, base64. */
  readonly signerKey: string;
  readonly directoryValidForMs: number;
  readonly changes: Changes;
  readonly log: Log;
  /** True once the process has been told to end. */
  isStopping(): boolean;
}
