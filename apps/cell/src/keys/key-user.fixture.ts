// SPDX-License-Identifier: Apache-2.0
// A process of a cell for tests: uses a tenant's keys all the time and prints each change of the outcome,
// and each use's instant at least every few milliseconds. SIGUSR2 keeps its event loop busy for 1.5 s.
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseCellId, parseTenantId } from '@bailiwick/kernel';
import type { IdentityFiles } from '@bailiwick/pki';
import { openDatabase } from '@bailiwick/postgres';
import { openKeyRing } from './open-key-ring.ts';
import type { KeyServiceAddress } from './remote-service.ts';

interface Setup {
  readonly tenantId: string;
  readonly cellId: string;
  readonly url: string;
  readonly identity: IdentityFiles;
  readonly keyService: KeyServiceAddress;
}

function parseSetup(text: string): Setup {
  return JSON.parse(text) as Setup;
}

const BUSY_MS = 1_500;
const setup = parseSetup(process.argv[2] ?? '');
const tenantId = parseTenantId(setup.tenantId);
const ring = openKeyRing({
  cellId: parseCellId(setup.cellId),
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  random: { bytes: (size) => randomBytes(size) },
  database: openDatabase({ url: setup.url, poolSize: 1, applicationName: 'key-user' }),
  identity: setup.identity,
  keyService: setup.keyService,
});

function tell(code: string, atMs: number = Date.now()): void {
  process.stdout.write(`${JSON.stringify({ atMs, code })}\n`);
}

const toCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown';

/** A use: the last check passes at an instant read before it. */
function use(): string {
  try {
    ring.assertUsable(tenantId);
    return 'none';
  } catch (error) {
    return toCode(error);
  }
}

process.on('SIGUSR2', () => {
  tell('busy');
  setImmediate(() => {
    const endMs = performance.now() + BUSY_MS;
    let lastMs = 0;
    while (performance.now() < endMs) {
      const atMs = Date.now();
      if (use() === 'none') lastMs = atMs;
    }
    tell(`last:${lastMs}`);
  });
});
process.on('SIGTERM', () => process.exit(0));

process.stdout.write('{"ready":true}\n');
for (;;) {
  try {
    await ring.secrets(tenantId);
    const atMs = Date.now();
    tell(use(), atMs);
  } catch (error) {
    tell(toCode(error));
  }
  await wait(2);
}
