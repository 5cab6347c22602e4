// SPDX-License-Identifier: Apache-2.0
// A local HTTP(S) server that can be slow, hang, throttle, babble and go away: what every provider over a
// network must live through. Loopback only.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { KeyId } from '@bailiwick/kernel';
import type { ProviderFaults } from '../suites/customer-key-provider.ts';
import type { CloudKeys } from './cloud-keys.ts';

export interface HttpQuestion {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

type Mode = 'sound' | 'slow' | 'hang' | 'throttle' | 'babble';

export interface FaultyServer {
  readonly url: string;
  readonly port: number;
  setMode(mode: Mode): void;
  /** Requests answered or not, since the start. */
  readonly requestsCount: number;
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  close(): Promise<void>;
}

export interface FaultyServerOptions {
  readonly answer: (question: HttpQuestion) => HttpAnswer;
  /** What the service says when it is asked too much. */
  readonly throttled: HttpAnswer;
  readonly tls?: { readonly cert: string; readonly key: string };
}

const SLOW_MS = 150;
const BABBLE: readonly string[] = ['<html>', '{}', '[]', '{"plaintext":7,"value":{}}', 'null'];

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

/** Starts on a free port of the loopback address; comes back on the same one. */
export async function startFaultyServer(options: FaultyServerOptions): Promise<FaultyServer> {
  const { answer, throttled, tls } = options;
  let mode: Mode = 'sound';
  let requestsCount = 0;
  const start = (): Server => {
    const server = tls === undefined ? createServer() : createTlsServer(tls);
    server.on('request', async (request: IncomingMessage, response) => {
      const { method = '', url = '', headers } = request;
      requestsCount += 1;
      const body = await readBody(request);
      if (mode === 'hang') return;
      let said: HttpAnswer = { status: 200, body: BABBLE[requestsCount % BABBLE.length] ?? '' };
      if (mode === 'throttle') said = throttled;
      if (mode === 'sound' || mode === 'slow') said = answer({ method, path: url, headers, body });
      if (mode === 'slow') await new Promise((resolve) => setTimeout(resolve, SLOW_MS));
      const type = { 'content-type': 'application/json' };
      response.writeHead(said.status, { ...type, ...said.headers }).end(said.body);
    });
    return server;
  };
  const listen = async (server: Server, port: number): Promise<number> => {
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  };
  let server = start();
  const port = await listen(server, 0);
  const takeAway = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    setMode(next) {
      mode = next;
    },
    get requestsCount() {
      return requestsCount;
    },
    takeAway,
    async bringBack() {
      if (server.listening) return;
      server = start();
      await listen(server, port);
    },
    close: takeAway,
  };
}

/** The suite's faults over a server and its keys. */
export function toFaults(
  server: FaultyServer,
  keys: CloudKeys,
  nameOf: (keyId: KeyId) => string = (keyId) => keyId,
): Required<ProviderFaults> {
  return {
    makeKey: async (keyId) => keys.make(nameOf(keyId)),
    disable: async (keyId) => keys.setState(nameOf(keyId), 'disabled'),
    enable: async (keyId) => keys.setState(nameOf(keyId), 'enabled'),
    destroy: async (keyId) => keys.setState(nameOf(keyId), 'destroyed'),
    rotate: async (keyId) => keys.rotate(nameOf(keyId)),
    swap: async (keyId) => keys.make(nameOf(keyId)),
    slow: async () => server.setMode('slow'),
    hang: async () => server.setMode('hang'),
    throttle: async () => server.setMode('throttle'),
    babble: async () => server.setMode('babble'),
    takeAway: () => server.takeAway(),
    lie: async () => {
      keys.isLying = true;
    },
    async recover() {
      keys.isLying = false;
      server.setMode('sound');
      await server.bringBack();
    },
  };
}
