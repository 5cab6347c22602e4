// SPDX-License-Identifier: Apache-2.0
// The failures of this room. The class has the shape of the kernel's `CodedError` and imports nothing,
// so that the verifier stands alone; compare `code`, as everywhere.

/** Codes of this room: public, and they never change meaning. */
export type LedgerErrorCode =
  | 'LEDGER_CHECKPOINT_INVALID'
  | 'LEDGER_CHECKPOINT_LATE'
  | 'LEDGER_ENTRY_INVALID'
  | 'LEDGER_ENTRY_NOT_DURABLE'
  | 'LEDGER_ENTRY_UNKNOWN'
  | 'LEDGER_EPOCH_CLOSED'
  | 'LEDGER_EXPORT_INVALID'
  | 'LEDGER_HEAD_INVALID'
  | 'LEDGER_HEAD_MOVED'
  | 'LEDGER_HEAD_REGRESSED'
  | 'LEDGER_KEY_INVALID'
  | 'LEDGER_NOTE_INVALID'
  | 'LEDGER_NOTE_UNSIGNED'
  | 'LEDGER_POLICY_INVALID'
  | 'LEDGER_PROOF_INVALID'
  | 'LEDGER_QUEUE_FULL'
  | 'LEDGER_QUORUM_MISSING'
  | 'LEDGER_SIGNATURE_INVALID'
  | 'LEDGER_STORE_MISSING'
  | 'LEDGER_TILE_INVALID'
  | 'LEDGER_TILE_MISSING';

/** What may stand beside the code: never a personal value. */
export type LedgerErrorDetails = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

/** A failure of the ledger: a bad proof, a wrong file, a head that moved. */
export class LedgerError extends Error {
  readonly code: LedgerErrorCode;
  readonly details: LedgerErrorDetails;

  constructor(
    code: LedgerErrorCode,
    message: string,
    options: { readonly details?: LedgerErrorDetails; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LedgerError';
    this.code = code;
    this.details = options.details ?? {};
  }
}
