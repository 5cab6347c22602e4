// SPDX-License-Identifier: Apache-2.0
// What the key ring needs of the thread that holds the lease. Two ways: in the same thread (`LeaseKeeper`
// itself) and across a worker (`worker-link.ts`).
import type { KeyObject } from 'node:crypto';
import type { KeyId, TenantId } from '@bailiwick/kernel';
import { KeysError, type KeysErrorCode } from '@bailiwick/keys';
import type {
  Drop,
  IndexField,
  OpenedShredKeys,
  ReservedMaterial,
  TenantMaterial,
} from '../key-service/api.ts';

/** A tenant's keys and the slot that says whether they may be used; or why they cannot be had. */
export type OpenedTenant =
  | { readonly slot: number; readonly material: TenantMaterial }
  | { readonly slot: number; readonly problem: LinkProblem };

/** A failure on its way between threads and processes. */
export interface LinkProblem {
  readonly code: KeysErrorCode;
  readonly message: string;
  /** When asking again may help. */
  readonly retryAfterMs?: number;
}

/** A failure without what must not travel: its cause. */
export function toLinkProblem({ code, message, details }: KeysError): LinkProblem {
  const { retryAfterMs } = details;
  return typeof retryAfterMs === 'number' ? { code, message, retryAfterMs } : { code, message };
}

/** The failure again. */
export function fromLinkProblem({ code, message, retryAfterMs }: LinkProblem): KeysError {
  return new KeysError(
    code,
    message,
    retryAfterMs === undefined ? {} : { details: { retryAfterMs } },
  );
}

/** Told by the link; each must have let go of the keys when it returns. */
export interface LinkListener {
  onDrop(drop: Drop): void;
  /** The lease was lost: everything goes. */
  onReset(): void;
}

export interface KeyLink {
  openTenant(tenantId: TenantId): Promise<OpenedTenant>;
  openShredKeys(tenantId: TenantId, shredKeyIds: readonly KeyId[]): Promise<OpenedShredKeys>;
  reserve(tenantId: TenantId, count: number): Promise<readonly ReservedMaterial[]>;
  openIndexKey(tenantId: TenantId, field: IndexField): Promise<KeyObject>;
  listen(listener: LinkListener): void;
  close(): Promise<void>;
}
