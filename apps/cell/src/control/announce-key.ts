// SPDX-License-Identifier: Apache-2.0
// Tells the control plane the cell's public signing key, so that other cells and the router can verify
// what it signs. Repeated until it is known; nothing waits for it.
import { setTimeout as pause } from 'node:timers/promises';
import type { CellId } from '@bailiwick/kernel';
import type { Log } from '@bailiwick/telemetry';
import type { PeerClient } from './peer-client.ts';

export interface KeyAnnouncer {
  start(): void;
  stop(): Promise<void>;
}

const TRY_MS_MAX = 5_000;
const REST_MS = 1_000;
const CONFLICT = 409;

export function createKeyAnnouncer(
  ports: { readonly control: PeerClient; readonly log: Log },
  announced: { readonly cellId: CellId; readonly key: string },
): KeyAnnouncer {
  const { control, log } = ports;
  const end = new AbortController();
  const { signal } = end;
  let running: Promise<void> | undefined;
  const attempt = async (): Promise<boolean> => {
    const { status } = await control.call({
      method: 'PUT',
      path: `/v1/cells/${announced.cellId}/signing-key`,
      body: { key: announced.key },
      timeoutMs: TRY_MS_MAX,
      signal,
    });
    if (status === CONFLICT) {
      // Somebody must look at this: either the key file was lost, or another cell has our identity.
      log.error('the control plane knows another signing key of this cell', { status });
    }
    return status < 300 || status === CONFLICT;
  };
  const announce = async (): Promise<void> => {
    while (!signal.aborted) {
      const isDone = await attempt().catch(() => false);
      if (isDone) return;
      await pause(REST_MS, undefined, { signal }).catch(() => undefined);
    }
  };
  return {
    start() {
      running ??= announce();
    },
    async stop() {
      end.abort();
      await running;
    },
  };
}
