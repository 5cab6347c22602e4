// SPDX-License-Identifier: Apache-2.0
// The retailer's two collections. What is about a person is restricted and sealed, the total of an order
// too; country and month stand beside it in plain, coarse enough to say nothing about anybody.
import type { CollectionSchema, FieldSetSchema, RecordDraft } from '@bailiwick/contracts';
import type { Customer, Order } from './generate.ts';

const MARKET: FieldSetSchema = {
  class: 'operational',
  category: 'technical',
  purpose: 'operations',
  subject: 'none',
  protection: 'plain',
};

export const CUSTOMERS: CollectionSchema = {
  description: 'People who have an account with the shop',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    market: MARKET,
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true, lengthMax: 200 },
    email: { fieldSet: 'contact', type: 'text', required: true, index: 'email', lengthMax: 254 },
    phone: { fieldSet: 'contact', type: 'text', lengthMax: 40 },
    address: { fieldSet: 'contact', type: 'text', lengthMax: 200 },
    city: { fieldSet: 'contact', type: 'text', lengthMax: 100 },
    postcode: { fieldSet: 'contact', type: 'text', lengthMax: 20 },
    country: { fieldSet: 'market', type: 'text', required: true, lengthMax: 2 },
  },
};

export const ORDERS: CollectionSchema = {
  description: 'Purchase orders',
  fieldSets: {
    purchase: {
      class: 'restricted',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    market: MARKET,
  },
  fields: {
    placedOn: { fieldSet: 'purchase', type: 'date', required: true },
    itemCount: { fieldSet: 'purchase', type: 'integer', required: true },
    total: { fieldSet: 'purchase', type: 'number', required: true },
    currency: { fieldSet: 'purchase', type: 'text', required: true, lengthMax: 3 },
    country: { fieldSet: 'market', type: 'text', required: true, lengthMax: 2 },
    month: { fieldSet: 'market', type: 'text', required: true, lengthMax: 7 },
  },
};

const toCountry = (place: string): string => place.slice(0, 2);

/** A customer as a record. */
export function toCustomerDraft(customer: Customer): RecordDraft {
  const { id, country, name, email, phone, address, city, postcode } = customer;
  return {
    id,
    subject: id,
    origin: country,
    fields: { name, email, phone, address, city, postcode, country: toCountry(country) },
  };
}

/** An order as a record about its customer. */
export function toOrderDraft({
  id,
  customer,
  placedOn,
  month,
  itemCount,
  total,
}: Order): RecordDraft {
  return {
    id,
    subject: customer.id,
    origin: customer.country,
    fields: {
      placedOn,
      itemCount,
      total,
      currency: customer.currency,
      country: toCountry(customer.country),
      month,
    },
  };
}
