// SPDX-License-Identifier: Apache-2.0
// What the process needs of its key service: the ring that capabilities use, and the administration for
// operators' and tenants' use cases. In production the key service is a process of its own; tests may
// run it within.
import type { KeyAdministration } from './key-service/api.ts';
import type { KeyRing } from './services.ts';

export interface CellKeys {
  readonly ring: KeyRing;
  readonly administration: KeyAdministration;
  /** Lets go of every key and of the lease. */
  close(): Promise<void>;
}
