// SPDX-License-Identifier: Apache-2.0
// The collections of a shop, for tests and benchmarks.
import type { CollectionSchema } from '@bailiwick/contracts';

export const CUSTOMERS: CollectionSchema = {
  description: 'people who ordered',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    payment: {
      class: 'restricted',
      category: 'financial',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    standing: {
      class: 'operational',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    phone: { fieldSet: 'contact', type: 'text', index: 'phone' },
    iban: { fieldSet: 'payment', type: 'text', index: 'exact' },
    orders: { fieldSet: 'standing', type: 'integer' },
    total: { fieldSet: 'standing', type: 'number' },
    since: { fieldSet: 'standing', type: 'date' },
    isActive: { fieldSet: 'standing', type: 'boolean' },
    tier: { fieldSet: 'standing', type: 'text', values: ['basic', 'gold'] },
  },
};

/** Lines of invoices, as the Online Retail data set has them (UCI, CC BY 4.0). */
export const INVOICE_LINES: CollectionSchema = {
  description: 'lines of invoices',
  fieldSets: {
    buyer: {
      class: 'restricted',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    goods: {
      class: 'operational',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    customer: { fieldSet: 'buyer', type: 'text', index: 'exact' },
    invoice: { fieldSet: 'goods', type: 'text', required: true },
    stockCode: { fieldSet: 'goods', type: 'text', required: true },
    description: { fieldSet: 'goods', type: 'text' },
    quantity: { fieldSet: 'goods', type: 'integer', required: true },
    unitPrice: { fieldSet: 'goods', type: 'number', required: true },
  },
  imports: {
    default: {
      id: [{ column: 'InvoiceNo' }, { line: true }],
      subject: { column: 'CustomerID', whenEmpty: 'none' },
      origin: { column: 'Country' },
      fields: {
        customer: { column: 'CustomerID' },
        invoice: { column: 'InvoiceNo', whenEmpty: 'refuse' },
        stockCode: { column: 'StockCode', whenEmpty: 'refuse' },
        description: { column: 'Description' },
        quantity: { column: 'Quantity', whenEmpty: 'refuse' },
        unitPrice: { column: 'UnitPrice', whenEmpty: 'refuse' },
      },
    },
  },
};
