// SPDX-License-Identifier: Apache-2.0
// A shop's customers as tests keep them: sealed contact data with a blind index, a plain country.

export const CUSTOMERS = {
  description: 'People who have an account with the shop',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    market: {
      class: 'operational',
      category: 'technical',
      purpose: 'operations',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true, lengthMax: 200 },
    email: { fieldSet: 'contact', type: 'text', required: true, index: 'email', lengthMax: 254 },
    country: { fieldSet: 'market', type: 'text', required: true, lengthMax: 2 },
  },
} as const;

/** A customer as a record, German unless said otherwise. */
export function aCustomer(id: string, change: { origin?: string; name?: string } = {}): object {
  const { origin = 'de', name = `Wilhelmina Testperson ${id}` } = change;
  return {
    id,
    subject: id,
    origin,
    fields: { name, email: `${id}@post.example`, country: origin },
  };
}
