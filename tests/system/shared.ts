// SPDX-License-Identifier: Apache-2.0
// The system that all black-box tests of a run share: where it is and who may ask it. A test that changes
// what others see makes a tenant of its own first (`tenant.ts`).
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { inject } from 'vitest';
import { parse } from 'yaml';
import type { Place, ResidencyName } from './demo.ts';

declare module 'vitest' {
  interface ProvidedContext {
    sharedSystemUrl: string;
  }
}

/** What the process that holds the system tells about it. */
export interface SharedPlace extends Place {
  /** What the demonstration printed until it was ready. */
  readonly story: string;
  /** Of the supervisor. */
  readonly pid: number;
}

/** A cell as its callers reach it. */
export interface CellAddress {
  readonly residency: ResidencyName;
  readonly cell: string;
  readonly name: string;
  readonly port: number;
  readonly internalPort: number;
  readonly spiffeId: string;
  readonly ledgerKey: string;
}

/** An account with its key: what it signs in with. */
export interface SystemAccount {
  readonly tenant: string;
  /** Its id at each residency's cell. */
  readonly ids: Readonly<Record<string, string>>;
  readonly key: string;
}

export interface SharedSystem extends SharedPlace {
  readonly clientFile: string;
  /** PEM of the authority that signed the cells' certificates. */
  readonly ca: string;
  cell(residency: ResidencyName): CellAddress;
  readonly router: { readonly name: string; readonly port: number };
  readonly control: { readonly port: number; readonly spiffeId: string };
  readonly operator: { readonly cert: string; readonly key: string; readonly ca: string };
  /** Id of a tenant of the demonstration: `retailer`, `bookshop`. */
  tenant(name: string): string;
  /** An account of the demonstration: `shop-service`, `bookshop/shop-service`. */
  account(name: string): SystemAccount;
  /** URL of a database as its superuser: for looking and for forging, outside row security. */
  ownerUrl(of: ResidencyName | 'control'): string;
}

interface ClientFile {
  readonly tenants: Readonly<Record<string, { readonly id: string }>>;
  readonly accounts: Readonly<
    Record<
      string,
      { readonly tenant: string; readonly keyFile: string; readonly ids: Record<string, string> }
    >
  >;
  readonly caFile: string;
  readonly directory: { readonly router: { readonly name: string; readonly port: number } };
  readonly cells: Readonly<
    Record<
      string,
      {
        readonly cell: string;
        readonly name: string;
        readonly port: number;
        readonly internal: { readonly port: number; readonly spiffeId: string };
        readonly ledgerKey: string;
      }
    >
  >;
  readonly control: { readonly port: number; readonly spiffeId: string };
  readonly operator: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly bundleFile: string;
  };
}

/** The shared system, started if this is the first test that asks. */
export async function useSystem(): Promise<SharedSystem> {
  const response = await fetch(inject('sharedSystemUrl'), { signal: AbortSignal.timeout(115_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`the shared system did not start: ${text}`);
  return openSystem(JSON.parse(text) as SharedPlace);
}

/** Reads what a running demonstration left for its clients. */
export function openSystem(place: SharedPlace): SharedSystem {
  const clientFile = path.join(place.state, 'client.yaml');
  const read = (file: string): string => readFileSync(path.resolve(place.state, file), 'utf8');
  const client = parse(read('client.yaml')) as ClientFile;
  const find = <T>(of: Readonly<Record<string, T>>, name: string): T => {
    const found = of[name];
    if (found === undefined) throw new Error(`the demonstration has no \`${name}\``);
    return found;
  };
  return {
    ...place,
    clientFile,
    ca: read(client.caFile),
    router: client.directory.router,
    control: client.control,
    operator: {
      cert: read(client.operator.certFile),
      key: read(client.operator.keyFile),
      ca: read(client.operator.bundleFile),
    },
    cell(residency) {
      const { cell, name, port, internal, ledgerKey } = find(client.cells, residency);
      const { port: internalPort, spiffeId } = internal;
      return { residency, cell, name, port, internalPort, spiffeId, ledgerKey };
    },
    tenant: (name) => find(client.tenants, name).id,
    account(name) {
      const { tenant, keyFile, ids } = find(client.accounts, name);
      return { tenant: find(client.tenants, tenant).id, ids, key: read(keyFile) };
    },
    ownerUrl(of) {
      const isControl = of === 'control';
      const folder = isControl ? 'control' : `cells/${of}`;
      const port = isControl ? client.control.port + 1 : find(client.cells, of).port + 3;
      const password = read(`${folder}/postgres/superuser-password`).trim();
      return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    },
  };
}
