// SPDX-License-Identifier: Apache-2.0
// The worker thread that keeps the lease: a long computation in the main thread delays neither a
// renewal nor a revocation.
import { parentPort, workerData } from 'node:worker_threads';
import { isCoded } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';
import { openIdentity } from '@bailiwick/pki';
import type { Drop } from '../key-service/api.ts';
import { toLinkProblem } from './key-link.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { LeaseView, MACHINE_CLOCKS } from './lease-view.ts';
import { openRemoteKeyService } from './remote-service.ts';
import {
  type FromWorker,
  parseToWorker,
  parseWorkerSetup,
  type ToWorker,
} from './worker-protocol.ts';

const setup = parseWorkerSetup(workerData);
const identity = openIdentity(setup.identity);
const service = openRemoteKeyService(identity, setup.address);
const waiting = new Map<number, () => void>();
let lastId = 0;

function send(message: FromWorker): void {
  parentPort?.postMessage(message);
}

/** Resolves when the main thread has let go. */
function confirm(what: { readonly drop?: Drop }): Promise<void> {
  lastId += 1;
  const id = lastId;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    send({ kind: 'let-go', id, ...what });
  });
}

const keeper = new LeaseKeeper({
  service,
  view: new LeaseView(setup.memory),
  clocks: MACHINE_CLOCKS,
  cellId: setup.cellId,
  processId: setup.processId,
  onDrop: (drop) => confirm({ drop }),
  onReset: () => confirm({}),
  onProblem: (error) =>
    send({
      kind: 'problem',
      code: error instanceof Error && 'code' in error ? String(error.code) : 'unknown',
    }),
});

function toRetryAfter(error: KeysError): { readonly retryAfterMs?: number } {
  const { retryAfterMs } = toLinkProblem(error);
  return retryAfterMs === undefined ? {} : { retryAfterMs };
}

async function call(message: Extract<ToWorker, { kind: 'call' }>): Promise<unknown> {
  const { asked } = message;
  switch (asked.name) {
    case 'openTenant':
      return keeper.openTenant(asked.tenantId);
    case 'openShredKeys':
      return keeper.openShredKeys(asked.tenantId, asked.shredKeyIds);
    case 'reserve':
      return keeper.reserve(asked.tenantId, asked.count);
    default:
      return keeper.openIndexKey(asked.tenantId, asked.field);
  }
}

async function close(): Promise<void> {
  for (const resolve of waiting.values()) resolve();
  await keeper.close();
  await service.close();
  identity.close();
  send({ kind: 'closed' });
  parentPort?.close();
}

parentPort?.on('message', (value: unknown) => {
  const message = parseToWorker(value);
  if (message.kind === 'gone') {
    waiting.get(message.id)?.();
    waiting.delete(message.id);
  } else if (message.kind === 'close') {
    void close();
  } else {
    call(message).then(
      (answer) => send({ kind: 'answer', id: message.id, answer }),
      (error: unknown) => {
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        const isOurs = error instanceof Error && isCoded(error, code) && code.startsWith('KEYS_');
        send({
          kind: 'refused',
          id: message.id,
          code: isOurs ? code : 'KEYS_SERVICE_UNAVAILABLE',
          message: isOurs ? error.message : 'the lease keeper failed inside',
          ...(error instanceof KeysError ? toRetryAfter(error) : {}),
        });
      },
    );
  }
});

keeper.start();
