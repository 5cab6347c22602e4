// SPDX-License-Identifier: Apache-2.0
// What every entry of a transfer says of it.
import type { TransferRow } from './transfer-store.ts';

export function toTransferFacts({
  transferId,
  request,
}: TransferRow): Record<string, string | readonly string[]> {
  const { kind, form, destination, mechanism, instrument } = request;
  return {
    transfer: transferId,
    transferKind: kind,
    form,
    destination: destination.id ?? destination.kind,
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(instrument === undefined
      ? {}
      : { instrument: instrument.reference, parties: instrument.parties }),
  };
}
