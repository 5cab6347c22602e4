// SPDX-License-Identifier: Apache-2.0
// Ports for a whole demonstration: one control plane, one router, one identity provider, four cells, all laid out from one first
// port. Chosen by chance below the range from which the system hands out ports by itself.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const FIRST = 15_000;
const LAST = 32_000;
const SPAN = 50;
const TRIES_COUNT_MAX = 50;

/** Ports of a demonstration from its first port on, as `bailiwick demo` lays them out. */
export function toDemoPorts(firstPort: number): readonly number[] {
  const cells = [1, 2, 3, 4].flatMap((cell) =>
    [0, 1, 2, 3].map((service) => firstPort + 10 * cell + service),
  );
  return [firstPort, firstPort + 1, firstPort + 2, firstPort + 3, ...cells];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A first port from which on a demonstration finds all its ports free. */
export async function findFirstPort(): Promise<number> {
  for (let attempt = 0; attempt < TRIES_COUNT_MAX; attempt += 1) {
    const firstPort = FIRST + SPAN * randomInt(Math.floor((LAST - FIRST) / SPAN));
    const free = await Promise.all(toDemoPorts(firstPort).map(isFree));
    if (free.every(Boolean)) return firstPort;
  }
  throw new Error(`no free ports for a demonstration after ${TRIES_COUNT_MAX} tries`);
}
