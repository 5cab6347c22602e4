// SPDX-License-Identifier: Apache-2.0
// Layer-4 pass-through: bytes go to the cell as they came, both ways, with backpressure and half-close.
// TLS ends in the cell; nothing is read here and nothing is kept.
import { connect, type Socket } from 'node:net';
import type { Address } from '@bailiwick/contracts';
import { CONNECT_MS_MAX } from './limits.ts';

/** Connects to the first address that answers; `undefined` when none does. */
async function connectFirst(addresses: readonly Address[]): Promise<Socket | undefined> {
  for (const { host, port } of addresses) {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    const isConnected = await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), CONNECT_MS_MAX);
      const settle = (outcome: boolean): void => {
        clearTimeout(timer);
        resolve(outcome);
      };
      socket.once('connect', () => settle(true));
      socket.once('error', () => settle(false));
    });
    if (isConnected) return socket;
    socket.destroy();
  }
  return undefined;
}

/**
 * Joins a caller to a cell. `head` is what was read of the caller already and goes first.
 *
 * Resolves when the connection to the cell stands or has failed; the caller's socket is then either
 * joined or destroyed.
 */
export async function splice(
  caller: Socket,
  head: Buffer,
  options: { readonly addresses: readonly Address[]; readonly idleMsMax: number },
): Promise<boolean> {
  const cell = await connectFirst(options.addresses);
  if (cell === undefined || caller.destroyed) {
    cell?.destroy();
    caller.destroy();
    return false;
  }
  const end = (): void => {
    caller.destroy();
    cell.destroy();
  };
  for (const socket of [caller, cell]) {
    socket.on('error', end);
    // A side that closes whole (reset) takes the other with it; a half-close goes through `pipe`.
    socket.on('close', (hadError) => {
      if (hadError) end();
    });
    socket.setTimeout(options.idleMsMax, end);
  }
  const follow = (gone: Socket, other: Socket): void => {
    gone.on('close', () => {
      // What is still on its way to the other side may arrive; more cannot come of it.
      if (!(other.readableEnded && other.writableEnded)) other.destroy();
    });
  };
  follow(caller, cell);
  follow(cell, caller);
  cell.write(head);
  caller.pipe(cell);
  cell.pipe(caller);
  return true;
}
