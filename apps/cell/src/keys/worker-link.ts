// SPDX-License-Identifier: Apache-2.0
// The main thread's side of the lease's worker.
import type { KeyObject } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { KeysError, type KeysErrorCode } from '@bailiwick/keys';
import type { OpenedShredKeys, ReservedMaterial } from '../key-service/api.ts';
import { fromLinkProblem, type KeyLink, type LinkListener, type OpenedTenant } from './key-link.ts';
import { type Asked, parseFromWorker, type ToWorker, type WorkerSetup } from './worker-protocol.ts';

interface Waiting {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: unknown) => void;
}

function gone(): KeysError {
  return new KeysError('KEYS_SERVICE_UNAVAILABLE', 'the lease keeper is gone');
}

/** Starts the worker. `onProblem` is told the code of what failed there. */
export function startLeaseWorker(setup: WorkerSetup, onProblem: (code: string) => void): KeyLink {
  const worker = new Worker(new URL('./lease-worker.ts', import.meta.url), {
    workerData: setup,
    name: 'lease',
  });
  const calls = new Map<number, Waiting>();
  let listener: LinkListener = { onDrop: () => undefined, onReset: () => undefined };
  let lastId = 0;
  let isClosed = false;
  const send = (message: ToWorker): void => worker.postMessage(message);
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      isClosed = true;
      for (const { reject } of calls.values()) reject(gone());
      calls.clear();
      // INVARIANT: without its keeper the lease runs out by itself; keys go at once.
      listener.onReset();
      resolve();
    });
  });
  worker.on('error', () => onProblem('KEYS_SERVICE_UNAVAILABLE'));
  worker.on('message', (value: unknown) => {
    const message = parseFromWorker(value);
    if (message.kind === 'let-go') {
      if (message.drop === undefined) listener.onReset();
      else listener.onDrop(message.drop);
      send({ kind: 'gone', id: message.id });
    } else if (message.kind === 'problem') {
      onProblem(message.code);
    } else if (message.kind !== 'closed') {
      const call = calls.get(message.id);
      calls.delete(message.id);
      if (message.kind === 'answer') call?.resolve(message.answer);
      else call?.reject(fromLinkProblem({ ...message, code: parseCode(message.code) }));
    }
  });
  // The worker is this program: what it answers to a call is that call's answer.
  const parseAnswer = <T>(asked: Asked): Promise<T> => {
    if (isClosed) return Promise.reject(gone());
    lastId += 1;
    const id = lastId;
    return new Promise<T>((resolve, reject) => {
      calls.set(id, { resolve: (answer) => resolve(answer as T), reject });
      send({ kind: 'call', id, asked });
    });
  };
  return {
    openTenant: (tenantId) => parseAnswer<OpenedTenant>({ name: 'openTenant', tenantId }),
    openShredKeys: (tenantId, shredKeyIds) =>
      parseAnswer<OpenedShredKeys>({ name: 'openShredKeys', tenantId, shredKeyIds }),
    reserve: (tenantId, count) =>
      parseAnswer<readonly ReservedMaterial[]>({ name: 'reserve', tenantId, count }),
    openIndexKey: (tenantId, field) =>
      parseAnswer<KeyObject>({ name: 'openIndexKey', tenantId, field }),
    listen: (next) => {
      listener = next;
    },
    async close() {
      if (isClosed) return;
      send({ kind: 'close' });
      await ended;
    },
  };
}

function parseCode(code: string): KeysErrorCode {
  return code as KeysErrorCode;
}
