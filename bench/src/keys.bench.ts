// SPDX-License-Identifier: Apache-2.0
// What holding keys costs: switching one off everywhere, asking customers' providers again and again for
// ten thousand tenants, a token behind a process of its own, the customer's proxy.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TenantId } from '@bailiwick/kernel';
import { createKeyDirectory, openFileProvider } from '@bailiwick/kms-file';
import { findSoftHsmLibrary } from '@bailiwick/kms-pkcs11';
import { CUSTODY_TICK_MS } from '../../apps/cell/src/key-service/staleness.ts';
import { createTimedCustody } from '../../apps/cell/src/key-service/testing.ts';
import { type BenchDocument, type BenchResult, toBenchDocument } from './document.ts';
import { measurePkcs11, measureProxy } from './key-provider-lanes.ts';
import { measureRevocation } from './revoke-lanes.ts';

const TENANTS_COUNT = 10_000;
/** One of 32 tenants is asked for in each second of the steady state: these are so many seconds. */
const WINDOW_MS = 8_000;
const CORE_PERCENT_MAX = 5;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** Custody with the file provider and the machine's clock; the share of a core that refreshing takes. */
async function measureTenants(): Promise<BenchResult> {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-bench-custody-'));
  const keys = path.join(directory, 'keys');
  createKeyDirectory(keys);
  const provider = openFileProvider({ directory: keys });
  let asked = 0;
  const counted: typeof provider = {
    ...provider,
    unwrap(...question) {
      asked += 1;
      return provider.unwrap(...question);
    },
  };
  const { custody, addTenant, clock } = createTimedCustody(counted);
  const tenants: TenantId[] = [];
  while (tenants.length < TENANTS_COUNT) tenants.push(await addTenant());
  // Opened over the time between two questions, as tenants of a running cell are.
  for (const [index, tenantId] of tenants.entries()) {
    clock.shiftMs = (index / TENANTS_COUNT) * 30_000;
    await custody.open(tenantId);
    if (index % 500 === 0) custody.tick();
  }
  const before = asked;
  const [fromMs, fromCpuMs] = [performance.now(), cpuMs()];
  while (performance.now() - fromMs < WINDOW_MS) {
    await new Promise((resolve) => setTimeout(resolve, CUSTODY_TICK_MS));
    custody.tick();
  }
  const usedMs = cpuMs() - fromCpuMs;
  const percent = (usedMs / (performance.now() - fromMs)) * 100;
  const perSecond = ((asked - before) / (performance.now() - fromMs)) * 1000;
  rmSync(directory, { recursive: true, force: true });
  return {
    id: 'keys.lease.tenants10k',
    what: `share of a core that asking again for ${TENANTS_COUNT} tenants takes (staleness 60 s, file provider, ${Math.round(perSecond)} questions a second in ${WINDOW_MS / 1000} s); leases are per process and cost the same for one tenant`,
    unit: '%',
    value: percent,
    baseline: { name: 'the bar', value: CORE_PERCENT_MAX },
    ratio: percent / CORE_PERCENT_MAX,
  };
}

export async function run(): Promise<BenchDocument> {
  const results: BenchResult[] = [...(await measureRevocation()), await measureTenants()];
  const library = findSoftHsmLibrary();
  if (library !== undefined) results.push(await measurePkcs11(library), await measureProxy());
  return toBenchDocument('keys', results);
}
