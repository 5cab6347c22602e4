// SPDX-License-Identifier: Apache-2.0
// A process of a cell that does nothing but use a tenant's keys, with its event loop never idle: seals and
// opens a value of 1 KiB again and again. Answers a line on its standard input with a line: what a bare
// message to a process as busy takes.
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline';
import { parseCellId, parseSubjectId, parseTenantId } from '@bailiwick/kernel';
import { openEnvelope, sealEnvelope } from '@bailiwick/keys';
import type { IdentityFiles } from '@bailiwick/pki';
import { openDatabase } from '@bailiwick/postgres';
import { openKeyRing } from '../../apps/cell/src/keys/open-key-ring.ts';

interface Setup {
  readonly tenantId: string;
  readonly subjectId: string;
  readonly url: string;
  readonly identity: IdentityFiles;
  readonly keyService: { readonly host: string; readonly port: number; readonly spiffeId: string };
}

const setup = JSON.parse(process.argv[2] ?? '{}') as Setup;
const tenantId = parseTenantId(setup.tenantId);
const subjectId = parseSubjectId(setup.subjectId);
const ring = openKeyRing({
  cellId: parseCellId('eu-de/main'),
  clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  random: { bytes: (size) => randomBytes(size) },
  database: openDatabase({ url: setup.url, poolSize: 1, applicationName: 'bench' }),
  identity: setup.identity,
  keyService: setup.keyService,
});
const value = randomBytes(1024);
const about = Buffer.from('bench');

createInterface({ input: process.stdin }).on('line', () => process.stdout.write('pong\n'));
process.on('SIGTERM', () => process.exit(0));

let isReady = false;
for (;;) {
  try {
    const [handle] = await ring.sealingKeys(tenantId, [{ kind: 'subject', subjectId }]);
    if (handle === undefined) throw new Error('no key');
    for (let count = 0; count < 50; count += 1) {
      openEnvelope(handle.key, sealEnvelope(handle.key, value, about), about);
    }
    ring.assertUsable(tenantId);
    if (!isReady) process.stdout.write('{"ready":true}\n');
    isReady = true;
  } catch {
    // Disabled for the moment.
  }
  await new Promise((resolve) => setImmediate(resolve));
}
