// SPDX-License-Identifier: Apache-2.0
// Who is there in the demonstration: the retailer, and a second tenant in the same cells whom nothing
// that happens to the first may touch.
import type { Tenancy } from '../supervisor/bootstrap.ts';

export const RETAILER = 'retailer';
export const NEIGHBOUR = 'bookshop';

/** Tenants and their accounts; the first of the first is who the command acts as by default. */
export const TENANCIES: readonly Tenancy[] = [
  {
    name: RETAILER,
    hasPeople: true,
    accounts: [
      {
        name: 'shop-service',
        role: 'shop-service',
        kind: 'workload',
        purposes: ['order-fulfilment', 'customer-support', 'legal-obligation'],
      },
      {
        name: 'analyst',
        role: 'analyst',
        kind: 'person',
        purposes: ['statistics', 'analytics'],
      },
      {
        name: 'support-agent',
        role: 'support-agent',
        kind: 'person',
        purposes: ['customer-support'],
      },
      {
        name: 'privacy-officer',
        role: 'privacy-officer',
        kind: 'person',
        purposes: ['legal-obligation', 'order-fulfilment'],
      },
      {
        name: 'security-officer',
        role: 'security-officer',
        kind: 'person',
        purposes: ['operations'],
      },
      {
        name: 'tenant-admin',
        role: 'tenant-admin',
        kind: 'person',
        purposes: ['order-fulfilment', 'operations'],
      },
    ],
  },
  {
    name: NEIGHBOUR,
    accounts: [
      {
        name: 'shop-service',
        role: 'shop-service',
        kind: 'workload',
        purposes: ['order-fulfilment'],
      },
      {
        name: 'tenant-admin',
        role: 'tenant-admin',
        kind: 'person',
        purposes: ['order-fulfilment', 'operations'],
      },
    ],
  },
];
