// SPDX-License-Identifier: Apache-2.0
// What the main thread and the lease's worker tell each other. Both are this program: the parse functions
// look at the kind only. Keys cross as KeyObjects, which threads share without copying.
import { assert, type CellId, type KeyId, type ProcessId, type TenantId } from '@bailiwick/kernel';
import type { IdentityFiles } from '@bailiwick/pki';
import type { Drop, IndexField } from '../key-service/api.ts';
import type { KeyServiceAddress } from './remote-service.ts';

export interface WorkerSetup {
  readonly memory: SharedArrayBuffer;
  readonly identity: IdentityFiles;
  readonly address: KeyServiceAddress;
  readonly cellId: CellId;
  readonly processId: ProcessId;
}

export type Asked =
  | { readonly name: 'openTenant'; readonly tenantId: TenantId }
  | {
      readonly name: 'openShredKeys';
      readonly tenantId: TenantId;
      readonly shredKeyIds: readonly KeyId[];
    }
  | { readonly name: 'reserve'; readonly tenantId: TenantId; readonly count: number }
  | { readonly name: 'openIndexKey'; readonly tenantId: TenantId; readonly field: IndexField };

export type ToWorker =
  | { readonly kind: 'call'; readonly id: number; readonly asked: Asked }
  /** The main thread has let go. */
  | { readonly kind: 'gone'; readonly id: number }
  | { readonly kind: 'close' };

export type FromWorker =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | {
      readonly kind: 'refused';
      readonly id: number;
      readonly code: string;
      readonly message: string;
      readonly retryAfterMs?: number;
    }
  /** Without a drop: everything. */
  | { readonly kind: 'let-go'; readonly id: number; readonly drop?: Drop }
  | { readonly kind: 'problem'; readonly code: string }
  | { readonly kind: 'closed' };

export function parseWorkerSetup(value: unknown): WorkerSetup {
  assert(typeof value === 'object' && value !== null && 'memory' in value, 'a worker has a setup');
  return value as WorkerSetup;
}

function isMessage(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

export function parseToWorker(value: unknown): ToWorker {
  assert(isMessage(value), 'a message has a kind');
  return value as ToWorker;
}

export function parseFromWorker(value: unknown): FromWorker {
  assert(isMessage(value), 'a message has a kind');
  return value as FromWorker;
}
