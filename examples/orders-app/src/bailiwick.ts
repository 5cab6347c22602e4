// SPDX-License-Identifier: Apache-2.0
// The application's way to its cell: the demo's client configuration, one account to run as and one to
// set up with.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  type Cell,
  type ClientOptions,
  type CollectionSchema,
  createClient,
  unwrap,
} from '@bailiwick/sdk';
import { parse } from 'yaml';

/** Where this application runs, and so where its customers' data is at home. */
export const RESIDENCY = 'eu-de';
export const COLLECTION = 'desk-orders';

/** What the two sealed columns are to the law. */
const SCHEMA: CollectionSchema = {
  description: 'Orders of the order desk, which keeps them in its own database',
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    purchase: {
      class: 'restricted',
      category: 'transactional',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true, lengthMax: 200 },
    email: { fieldSet: 'contact', type: 'text', required: true, index: 'email', lengthMax: 254 },
    total: { fieldSet: 'purchase', type: 'number', required: true },
    note: { fieldSet: 'purchase', type: 'text', lengthMax: 1000 },
  },
};

interface ClientFile {
  readonly caFile: string;
  readonly directory: NonNullable<ClientOptions['directory']>;
  readonly tenants: Readonly<Record<string, { readonly id: string }>>;
  readonly accounts: Readonly<
    Record<string, { readonly keyFile: string; readonly ids: Readonly<Record<string, string>> }>
  >;
}

/** The cell, and how to let go of it. */
export interface OpenCell {
  readonly cell: Cell;
  close(): Promise<void>;
}

function parseClientFile(text: string): ClientFile {
  return parse(text) as ClientFile;
}

async function openAs(clientFile: string, account: string): Promise<OpenCell> {
  const file = parseClientFile(readFileSync(clientFile, 'utf8'));
  const read = (name: string): string =>
    readFileSync(path.resolve(path.dirname(clientFile), name), 'utf8');
  const { ids, keyFile } = file.accounts[account] ?? { ids: {}, keyFile: '' };
  const client = createClient({
    ca: read(file.caFile),
    directory: file.directory,
    account: { account: ids[RESIDENCY] ?? '', key: read(keyFile) },
  });
  const cell = await client.in(RESIDENCY, { tenant: file.tenants['retailer']?.id ?? '' });
  return { cell, close: () => client.close() };
}

/** Opens the cell and makes sure that it knows what the application will seal. */
export async function openCell(clientFile: string): Promise<OpenCell> {
  const admin = await openAs(clientFile, 'tenant-admin');
  try {
    const found = await admin.cell.collections.get(COLLECTION);
    if (!found.ok) unwrap(await admin.cell.collections.put(COLLECTION, SCHEMA));
  } finally {
    await admin.close();
  }
  return openAs(clientFile, 'shop-service');
}
