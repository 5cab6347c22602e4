// SPDX-License-Identifier: Apache-2.0
// Made-up customers and their orders: the same seed gives the same people on every machine. No name
// library: two dozen countries of material are a page, and nothing of it is anybody's.
import { MARKETS, type Market } from './markets.ts';
import { type Chance, createChance } from './random.ts';

export interface Customer {
  readonly id: string;
  /** Where it was collected: a country, or a part of one whose law differs (`us-ca`). */
  readonly country: string;
  readonly countryName: string;
  readonly currency: string;
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly address: string;
  readonly city: string;
  readonly postcode: string;
}

export interface Order {
  readonly id: string;
  readonly customer: Customer;
  /** Day of the order, `2026-03-17`. */
  readonly placedOn: string;
  /** `2026-03`: coarse enough to group by in plain. */
  readonly month: string;
  readonly itemCount: number;
  /** In the customer's currency, two decimals. */
  readonly total: number;
}

export interface GenerateOptions {
  readonly seed: number;
  readonly customersCount: number;
  readonly ordersCount: number;
}

export const DEMO_SEED = 20_261_120;
const LETTERS = 'ABCDEFGHJKLMNPRSTUVWXYZ';
const MONTHS_COUNT = 10;

/** Customers in a fixed order; each country at least once when there are enough of them. */
export function generateCustomers(options: Omit<GenerateOptions, 'ordersCount'>): Customer[] {
  const chance = createChance(options.seed);
  const total = MARKETS.reduce((sum, market) => sum + market.weight, 0);
  const customers: Customer[] = [];
  for (let index = 0; index < options.customersCount; index += 1) {
    const market = MARKETS[index] ?? pickMarket(chance, total);
    customers.push(generateCustomer(chance, { market, index }));
  }
  return customers;
}

function pickMarket(chance: Chance, total: number): Market {
  let left = chance.next() * total;
  for (const market of MARKETS) {
    left -= market.weight;
    if (left < 0) return market;
  }
  const [first] = MARKETS;
  if (first === undefined) throw new Error('assertion failed: there is a market');
  return first;
}

function pick(chance: Chance, list: readonly string[]): string {
  const [first, ...rest] = list;
  return first === undefined ? '' : chance.of([first, ...rest]);
}

function generateCustomer(
  chance: Chance,
  { market, index }: { readonly market: Market; readonly index: number },
): Customer {
  const [given = '', givenLatin = given] = pick(chance, market.given).split('|');
  const [family = '', familyLatin = family] = pick(chance, market.family).split('|');
  const [city = '', prefix = ''] = pick(chance, market.cities).split('|');
  const number = String(chance.between(1, 180));
  // Numbered, so that an address is one person's: the blind index finds exactly one.
  const mailbox = `${toLatin(givenLatin)}.${toLatin(familyLatin)}.${index + 1}`;
  return {
    id: `C${String(index + 1).padStart(6, '0')}`,
    country: market.country,
    countryName: market.countryName,
    currency: market.currency,
    name: market.isFamilyNameFirst === true ? `${family} ${given}` : `${given} ${family}`,
    email: `${mailbox}@${pick(chance, market.mailDomains)}`,
    phone: fill(chance, market.phone),
    address: market.line
      .replace('{street}', pick(chance, market.streets))
      .replace('{number}', number),
    city,
    postcode: `${prefix}${fill(chance, market.postcode.slice(toDigitsGiven(market, prefix)))}`,
  };
}

/** German and French postcodes are written whole in the pattern: the city's prefix replaces their start. */
function toDigitsGiven(market: Market, prefix: string): number {
  return market.postcode === '#####' ? prefix.length : 0;
}

function fill(chance: Chance, pattern: string): string {
  return pattern.replace(/[#^]/g, (sign) =>
    sign === '#' ? String(chance.between(0, 9)) : (LETTERS[chance.between(0, 22)] ?? 'A'),
  );
}

const SPECIAL: Readonly<Record<string, string>> = {
  ß: 'ss',
  ø: 'o',
  æ: 'ae',
  ł: 'l',
  đ: 'd',
  þ: 'th',
  ð: 'd',
  ı: 'i',
};

/** A mailbox's spelling: lower case, without marks. */
function toLatin(text: string): string {
  return text
    .toLowerCase()
    .replace(/[ßøæłđþðı]/g, (letter) => SPECIAL[letter] ?? letter)
    .normalize('NFKD')
    .replace(/[^a-z0-9]/g, '');
}

/** Orders of these customers, by the day they were placed. */
export function generateOrders(
  customers: readonly Customer[],
  options: Pick<GenerateOptions, 'seed' | 'ordersCount'>,
): Order[] {
  const chance = createChance(options.seed + 1);
  const orders: Order[] = [];
  for (let index = 0; index < options.ordersCount; index += 1) {
    const customer = customers[index % customers.length];
    if (customer === undefined) break;
    const month = `2026-${String(chance.between(1, MONTHS_COUNT)).padStart(2, '0')}`;
    orders.push({
      id: `O${String(index + 1).padStart(7, '0')}`,
      customer,
      placedOn: `${month}-${String(chance.between(1, 28)).padStart(2, '0')}`,
      month,
      itemCount: 1 + Math.floor(chance.next() ** 2 * 12),
      total: Math.round(Math.exp(2.5 + chance.next() * 3) * 100) / 100,
    });
  }
  return orders;
}
