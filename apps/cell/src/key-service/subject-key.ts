// SPDX-License-Identifier: Apache-2.0
// What a subject key's wrap is bound to: the key service and the processes of the cell agree on it here.
import type { CellId, KeyId, TenantId } from '@bailiwick/kernel';
import type { WrapContext } from '@bailiwick/keys';

/** The context of a subject key's wrap; the key service and the processes of the cell agree on it. */
export function toSubjectKeyContext(
  place: { readonly cellId: CellId; readonly tenantId: TenantId },
  key: {
    readonly keyId: KeyId;
    readonly version: number;
    readonly subjectId: string;
    readonly shredKeyId: KeyId;
  },
): WrapContext {
  return {
    kind: 'subject-key',
    cellId: place.cellId,
    tenantId: place.tenantId,
    keyId: key.keyId,
    version: key.version,
    owner: key.subjectId,
    under: key.shredKeyId,
    underVersion: 1,
  };
}
