// SPDX-License-Identifier: Apache-2.0
// A whole cell `uk-lon` as a process of its own, for benchmarks: real database, keys, ledger, law, tokens
// and TLS; only the control plane is a pair of keys. Prints one line of JSON when it serves, ends when its
// standard input does.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { newTenant, startTestCell } from '../../testing/test-cell.ts';
import { INVOICE_LINES } from './shop.ts';

const REFRESH_MS = 20_000;

const tenant = newTenant({ 'uk-lon': 'uk-lon/main' });
const test = await startTestCell({
  cell: 'uk-lon/main',
  tenants: [tenant],
  limits: { inFlightPerTenantCountMax: 64, inFlightCountMax: 128, requestMsMax: 60_000 },
});
const account = await test.addAccount(tenant.tenantId, { place: 'uk' });
const officer = await test.addAccount(tenant.tenantId, { place: 'uk', role: 'privacy-officer' });
const { publicPort } = await test.cell.listen();
await test.call({
  method: 'PUT',
  path: '/v1/collections/lines',
  body: INVOICE_LINES,
  as: account,
});
const refreshing = setInterval(() => test.refresh(), REFRESH_MS);

process.stdout.write(
  `${JSON.stringify({
    port: publicPort,
    name: test.name,
    ca: readFileSync(path.join(test.directory, 'bundle.pem'), 'utf8'),
    token: await test.tokenOf(account),
    officerToken: await test.tokenOf(officer),
    claim: await test.claimOf(account, 'uk-lon'),
    tenantId: tenant.tenantId,
    url: test.database.url,
    ownerUrl: test.database.ownerUrl,
    schema: INVOICE_LINES,
  })}\n`,
);

process.stdin.on('data', (chunk) => {
  // Work of the cell's own begins when it is asked for: other suites measure without it.
  if (String(chunk).includes('start')) {
    test.cell.start().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    return;
  }
  // A line asks for the memory held: the resident size, as it is.
  if (!String(chunk).includes('memory')) return;
  process.stdout.write(`${JSON.stringify({ rssBytes: process.memoryUsage().rss })}\n`);
});
process.stdin.on('end', async () => {
  clearInterval(refreshing);
  await test.stop();
  process.exit(0);
});
