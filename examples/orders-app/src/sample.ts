// SPDX-License-Identifier: Apache-2.0
import type { DeskOrder } from './orders.ts';

const PEOPLE = [
  ['c-1', 'Käthe Weiß', 'kaethe.weiss@post.example', 'de'],
  ['c-2', 'Łukasz Wójcik', 'lukasz.wojcik@poczta.example', 'pl'],
  ['c-3', 'Zoé Lefèvre', 'zoe.lefevre@courriel.example', 'fr'],
  ['c-4', 'Siobhán Ní Bhriain', 'siobhan@litir.example', 'ie'],
  ['c-5', 'Bjørg Ødegård', 'bjorg.odegard@brev.example', 'no'],
] as const;

/** Made-up orders to begin with. */
export function createSample(count: number): readonly DeskOrder[] {
  return Array.from({ length: count }, (_, index) => {
    const [customer, name, email, country] = PEOPLE[index % PEOPLE.length] ?? PEOPLE[0];
    return {
      number: `A-${String(index + 1).padStart(5, '0')}`,
      customer,
      name,
      email,
      country,
      total: 10 + index,
      note: index % 7 === 0 ? 'please ring twice' : 'none',
    };
  });
}
