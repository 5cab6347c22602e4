// SPDX-License-Identifier: Apache-2.0
// The one TLS port: reads the server name and decides once. The global name goes to discovery, the name
// of a known cell is passed through, everything else is closed without a word.
import { createServer, type Server, type Socket } from 'node:net';
import type { RouterConfig } from '@bailiwick/contracts';
import type { Log } from '@bailiwick/telemetry';
import { type ClientHello, parseClientHello } from './client-hello.ts';
import type { Routes } from './routes.ts';
import { splice } from './splice.ts';

export interface FrontPorts {
  readonly routes: () => Routes;
  /** Takes over a connection to the global name, its first bytes put back. */
  readonly discover: (socket: Socket) => void;
  readonly log: Log;
}

/** What became of connections, as counts. */
export interface FrontCounts {
  readonly open: number;
  readonly discovered: number;
  readonly passed: number;
  readonly closed: number;
}

export interface Front {
  readonly server: Server;
  counts(): FrontCounts;
  /** Ends every connection. */
  closeAll(): void;
}

/** Counts connections by where they come from, in memory only and for as long as they last. */
function createSourceCounter(countMax: number): (socket: Socket) => boolean {
  const counts = new Map<string, number>();
  return (socket) => {
    const source = socket.remoteAddress ?? '';
    const count = (counts.get(source) ?? 0) + 1;
    if (count > countMax) return false;
    counts.set(source, count);
    socket.once('close', () => {
      const left = (counts.get(source) ?? 1) - 1;
      if (left > 0) counts.set(source, left);
      else counts.delete(source);
    });
    return true;
  };
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Reads until the hello is whole; `undefined` when it never will be, in time or in form. */
function readHello(
  socket: Socket,
  options: { readonly timeoutMs: number },
): Promise<{ readonly hello: ClientHello; readonly head: Buffer } | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    let neededBytes = 1;
    const settle = (hello: ClientHello | undefined, head: Buffer): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onEnd);
      socket.off('end', onEnd);
      socket.pause();
      resolve(hello === undefined ? undefined : { hello, head });
    };
    const onEnd = (): void => settle(undefined, NOTHING);
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      sizeBytes += chunk.length;
      if (sizeBytes < neededBytes) return;
      const head = chunks.length === 1 ? chunk : Buffer.concat(chunks);
      try {
        const found = parseClientHello(head);
        if ('hello' in found) settle(found.hello, head);
        else neededBytes = found.neededBytes;
      } catch {
        settle(undefined, NOTHING);
      }
    };
    // SECURITY: one deadline for the whole hello: a byte now and then buys no time.
    const timer = setTimeout(onEnd, options.timeoutMs);
    socket.on('data', onData);
    socket.on('close', onEnd);
    socket.on('end', onEnd);
  });
}

export function createFront(
  ports: FrontPorts,
  options: { readonly name: string; readonly limits: RouterConfig['limits'] },
): Front {
  const { name, limits } = options;
  const isWithinSource = createSourceCounter(limits.connectionsPerSourceCountMax);
  const sockets = new Set<Socket>();
  const counts = { discovered: 0, passed: 0, closed: 0 };
  const close = (socket: Socket): void => {
    counts.closed += 1;
    socket.destroy();
  };
  const serve = async (socket: Socket): Promise<void> => {
    const read = await readHello(socket, { timeoutMs: limits.helloMsMax });
    const serverName = read?.hello.serverName;
    if (read === undefined || serverName === undefined || socket.destroyed) return close(socket);
    if (serverName === name) {
      counts.discovered += 1;
      socket.unshift(read.head);
      ports.discover(socket);
      return;
    }
    const cell = ports.routes().findCell(serverName);
    if (cell === undefined) return close(socket);
    const { addresses } = cell;
    const isJoined = await splice(socket, read.head, { addresses, idleMsMax: limits.idleMsMax });
    if (isJoined) counts.passed += 1;
    else counts.closed += 1;
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // The caller's trouble; whoever serves the socket sees its end.
    socket.on('error', () => socket.destroy());
    if (!isWithinSource(socket)) return close(socket);
    serve(socket).catch((error: unknown) => {
      ports.log.error('a connection failed inside', { error });
      socket.destroy();
    });
  });
  server.maxConnections = limits.connectionsCountMax;
  return {
    server,
    counts: () => ({ open: sockets.size, ...counts }),
    closeAll() {
      for (const socket of sockets) socket.destroy();
    },
  };
}
