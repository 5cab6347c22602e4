// SPDX-License-Identifier: Apache-2.0
import { unwrap } from '@bailiwick/sdk';
import { groupRefused } from '../ingest/tally.ts';
import { toTable } from '../output.ts';
import type { Stage } from './stage.ts';

/** Step 1: where everybody's data went, and what was refused and why. */
export async function tellHomes({ narrator, actors, system, loaded }: Stage): Promise<void> {
  narrator.step('Where everybody’s data went');
  const { customers, orders } = loaded;
  const rows = [...customers.countries.values()]
    .sort((one, other) => other.lines - one.lines)
    .map((row) => [
      row.country,
      row.cell ?? 'refused',
      row.lines,
      orders.countries.get(row.country)?.lines ?? 0,
    ]);
  for (const line of toTable(['country', 'cell', 'customers', 'orders'], rows).split('\n')) {
    narrator.say(line);
  }
  for (const [what, tally] of [
    ['customers', customers],
    ['orders', orders],
  ] as const) {
    for (const { detail, count } of groupRefused(tally.refused)) {
      narrator.say(`refused ${count.toLocaleString('en')} ${what}: ${detail}`);
    }
  }
  let stored = 0;
  for (const { residency, cell: cellId } of system.layout.cells) {
    const cell = await actors.in(residency, 'shop-service');
    const answer = await narrator.ask<{ readonly count: number }>({
      cell,
      call: { method: 'POST', path: '/v1/collections/customers/counts', body: {} },
    });
    const { count } = unwrap(answer);
    const expected = sumLines(customers.countries.values(), cellId);
    narrator.claim(
      count === expected,
      `${cellId} holds exactly its ${count.toLocaleString('en')} customers`,
    );
    stored += count;
  }
  const refused = customers.refusedCount;
  narrator.claim(
    stored + refused === customers.lineCount,
    'every customer is in one cell or was refused with a reason',
  );
  narrator.claim(
    [...customers.countries.values()].every(({ country, cell }) =>
      country === 'bh' ? cell === undefined : true,
    ),
    'nobody from Bahrain was taken: the charter gives no home',
  );
}

function sumLines(
  countries: Iterable<{
    readonly cell: string | undefined;
    readonly lines: number;
    readonly refused: number;
  }>,
  cell: string,
): number {
  let sum = 0;
  for (const row of countries) if (row.cell === cell) sum += row.lines - row.refused;
  return sum;
}
