// SPDX-License-Identifier: Apache-2.0
// Chunks to another cell's internal listener, over mTLS to exactly the identity that the bundle names.
import { checkChunkReceipt } from '@bailiwick/contracts';
import { isCoded } from '@bailiwick/kernel';
import { CellError } from '../errors.ts';
import { type Courier, toReceipt } from './courier.ts';
import type { Sink, SinkReceipt } from './sink.ts';
import type { TransferRow } from './transfer-store.ts';

/** Makes a sink out of the way to another cell. */
export function createCellSink(courier: Courier): Sink {
  const pathOf = ({ tenantId, transferId }: TransferRow): string =>
    `/internal/v1/tenants/${tenantId}/arrivals/${transferId}`;
  const cellOf = ({ request }: TransferRow): string => request.destination.id ?? '';
  return {
    async open(transfer, manifest) {
      const path = pathOf(transfer);
      return toReceipt(await courier.send(cellOf(transfer), { path, body: manifest }));
    },
    async take(transfer, { chunk }) {
      const path = `${pathOf(transfer)}/chunks/${chunk.chunk}`;
      return parseReceipt(await courier.send(cellOf(transfer), { path, body: chunk }));
    },
    async close(transfer, end) {
      const path = `${pathOf(transfer)}/end`;
      return toReceipt(await courier.send(cellOf(transfer), { path, body: end }));
    },
  };
}

function parseReceipt(value: unknown): SinkReceipt {
  try {
    return checkChunkReceipt(value);
  } catch (cause) {
    if (!isCoded(cause, 'CONTRACT_VALUE_INVALID')) throw cause;
    throw new CellError('PEER_UNREACHABLE', 'the destination gave no receipt', { cause });
  }
}
