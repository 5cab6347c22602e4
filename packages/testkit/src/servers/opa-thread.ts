// SPDX-License-Identifier: Apache-2.0
// An OPA server in a thread of its own, for callers that wait in place for its answer. Its documents:
// `house/allow` (everything but marketing), `house/record` (the same as `{allow}`), `house/nothing` (undefined),
// `house/text`, `house/fails`.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { startOpaServer } from './opa.ts';

type Mode = Parameters<Awaited<ReturnType<typeof startOpaServer>>['server']['setMode']>[0];

type Order =
  | { readonly do: 'mode'; readonly mode: Mode }
  | { readonly do: 'leave' }
  | { readonly do: 'return' }
  | { readonly do: 'inputs' };

export interface OpaThread {
  readonly url: string;
  setMode(mode: Mode): Promise<void>;
  /** Stops listening; `comeBack` listens on the same port again. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  inputs(): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

function isMarketing(input: unknown): boolean {
  return (
    typeof input === 'object' && input !== null && Reflect.get(input, 'purpose') === 'marketing'
  );
}

async function serve(token: string | undefined): Promise<void> {
  const opa = await startOpaServer({
    ...(token === undefined ? {} : { token }),
    documents: {
      'house/allow': (input) => !isMarketing(input),
      'house/record': (input) => ({ allow: !isMarketing(input), why: 'house rules' }),
      'house/nothing': () => undefined,
      'house/text': () => 'yes',
      'house/fails': () => {
        throw new Error('eval_conflict_error');
      },
    },
  });
  parentPort?.on('message', async (order: Order) => {
    if (order.do === 'mode') opa.server.setMode(order.mode);
    if (order.do === 'leave') await opa.server.takeAway();
    if (order.do === 'return') await opa.server.bringBack();
    parentPort?.postMessage(opa.inputs);
  });
  parentPort?.postMessage(opa.server.url);
}

if (!isMainThread && workerData?.isOpaServer === true) {
  void serve(workerData.token as string | undefined);
}

/** Starts one; `token` is the bearer token that it asks for. */
export async function startOpaThread(
  options: { readonly token?: string } = {},
): Promise<OpaThread> {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { isOpaServer: true, ...options },
  });
  const next = (): Promise<unknown> =>
    new Promise((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  const url = String(await next());
  const tell = (order: Order): Promise<unknown> => {
    const told = next();
    worker.postMessage(order);
    return told;
  };
  return {
    url,
    setMode: async (mode) => void (await tell({ do: 'mode', mode })),
    leave: async () => void (await tell({ do: 'leave' })),
    comeBack: async () => void (await tell({ do: 'return' })),
    inputs: async () => (await tell({ do: 'inputs' })) as readonly unknown[],
    close: async () => void (await worker.terminate()),
  };
}
