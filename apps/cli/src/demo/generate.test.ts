// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { DEMO_SEED, generateCustomers, generateOrders } from './generate.ts';

const OPTIONS = { seed: DEMO_SEED, customersCount: 5_000, ordersCount: 20_000 };

describe('the retailer’s people', () => {
  const customers = generateCustomers(OPTIONS);

  it('come from at least twenty countries, some from one without a home', () => {
    const countries = new Set(customers.map(({ country }) => country));
    expect(customers).toHaveLength(5_000);
    expect(countries.size).toBeGreaterThanOrEqual(20);
    for (const country of ['bh', 'ca']) {
      expect(customers.filter((one) => one.country === country).length).toBeGreaterThan(5);
    }
  });

  it('are the same for the same seed and others for another', () => {
    expect(generateCustomers(OPTIONS)).toEqual(customers);
    expect(generateCustomers({ ...OPTIONS, seed: 7 })).not.toEqual(customers);
  });

  it('have mail addresses of their own that reach nobody', () => {
    expect(new Set(customers.map(({ email }) => email)).size).toBe(5_000);
    for (const { email } of customers) {
      expect(email).toMatch(/^[a-z0-9]+\.[a-z0-9]+\.[0-9]+@[a-z]+\.example$/);
    }
  });

  it('have complete numbers, postcodes and localised names', () => {
    for (const customer of customers) {
      const { name, phone, postcode, city, address } = customer;
      for (const text of [name, phone, postcode, city, address]) expect(text).not.toMatch(/[#^{|]/);
      expect(Math.min(name.length, city.length, address.length)).toBeGreaterThan(1);
    }
    const german = customers.find(({ country }) => country === 'de');
    expect(german?.postcode).toMatch(/^\d{5}$/);
    expect(customers.some(({ name }) => /[\u3040-\u9fff]/.test(name))).toBe(true);
    expect(customers.some(({ name }) => /[\u0370-\u03ff]/.test(name))).toBe(true);
  });

  it('place orders with a day, a month and a total', () => {
    const orders = generateOrders(customers, OPTIONS);
    expect(orders).toHaveLength(20_000);
    for (const { placedOn, month, total, itemCount } of orders) {
      expect(placedOn.startsWith(month)).toBe(true);
      expect(placedOn).toMatch(/^2026-(0[1-9]|10)-\d\d$/);
      expect(total).toBeGreaterThan(1);
      expect(itemCount).toBeGreaterThanOrEqual(1);
    }
    expect(new Set(orders.map(({ id }) => id)).size).toBe(20_000);
  });
});
