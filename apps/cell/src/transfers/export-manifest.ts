// SPDX-License-Identifier: Apache-2.0
// What a cell signs of an export: which parts it has, for whom, on whose rule. Whoever fetches it checks
// the signature against the cell's key and each part against its hash.
import { toInstant } from '@bailiwick/kernel';
import type { CellRuntime } from '../runtime.ts';
import type { ExportPart } from './chunk-store.ts';
import type { TransferRow } from './transfer-store.ts';

/** DSSE payload type of an export's manifest. */
export const EXPORT_MANIFEST_PAYLOAD_TYPE = 'application/vnd.bailiwick.export-manifest.v1+json';

export function toExportManifest(
  runtime: CellRuntime,
  transfer: TransferRow,
  parts: readonly ExportPart[],
): object {
  const { transferId, tenantId, request, recordCount } = transfer;
  const { form, purpose, destination, selection, mechanism, instrument } = request;
  return {
    v: 1,
    exportId: transferId,
    from: runtime.cellId,
    tenantId,
    provider: destination.id,
    collection: selection.collection,
    form,
    purpose,
    ...(mechanism === undefined ? {} : { mechanism }),
    ...(instrument === undefined ? {} : { instrument }),
    records: recordCount,
    parts,
    at: toInstant(runtime.clock.nowMs()),
  };
}
