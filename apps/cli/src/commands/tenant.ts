// SPDX-License-Identifier: Apache-2.0
// `bailiwick tenant`: what operators do. The middle knows an opaque id, homes and terms, and no name.
import { parseCellId, parseResidency } from '@bailiwick/kernel';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { createTenant, listTenants, openConfiguredOperator } from '../operator.ts';
import { toTable } from '../output.ts';
import { readMapping, toList } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick tenant create`. */
export async function runTenantCreate(context: Context, { options }: Input): Promise<void> {
  const operator = openConfiguredOperator(await context.config());
  context.closers.push(() => operator.close());
  const homes = toList(String(options['residencies'])).map((text) => {
    const cell = parseCellId(text);
    return { residency: parseResidency(cell.split('/')[0] ?? ''), cell };
  });
  if (homes.length === 0) throw new CliError('CLI_USAGE_WRONG', 'expected at least one residency');
  const terms: unknown = options['terms'];
  const tenant = await createTenant(operator, {
    homes,
    ...(typeof terms === 'string' ? { terms: readMapping(terms, 'the contract terms') } : {}),
  });
  context.output.result({ v: 1, tenant }, () => tenant.tenantId);
}

/** Runs `bailiwick tenant show [tenant]`. */
export async function runTenantShow(context: Context, { args }: Input): Promise<void> {
  const config = await context.config();
  const operator = openConfiguredOperator(config);
  context.closers.push(() => operator.close());
  const toName = (id: string): string => config.tenants.find((one) => one.id === id)?.name ?? '';
  const [wanted] = args;
  const items = (await listTenants(operator)).filter(
    ({ tenantId }) => wanted === undefined || wanted === tenantId || wanted === toName(tenantId),
  );
  if (wanted !== undefined && items.length === 0) {
    throw new CliError('CLI_INPUT_REFUSED', `there is no tenant \`${wanted}\``);
  }
  context.output.result({ v: 1, items }, () =>
    toTable(
      ['tenant', 'name here', 'state', 'residencies'],
      items.map(({ tenantId, state, homes }) => [
        tenantId,
        toName(tenantId),
        state,
        homes.map(({ residency }) => residency).join(', '),
      ]),
    ),
  );
}
