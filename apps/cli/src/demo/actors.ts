// SPDX-License-Identifier: Apache-2.0
// The people and programs of the story, each with a client of its own, as they would have in real life.
import type { Cell, Client } from '@bailiwick/sdk';
import type { ClientConfig } from '../config.ts';
import { openClient } from '../connect.ts';
import { RETAILER } from './tenancies.ts';

export interface Actors {
  /** The cell of a residency, as this account of this tenant sees it. */
  in(residency: string, account: string, tenant?: string): Promise<Cell>;
  close(): Promise<void>;
}

/** Opens clients as they are needed. */
export function createActors(config: ClientConfig): Actors {
  const clients = new Map<string, Client>();
  const cells = new Map<string, Promise<Cell>>();
  const open = (name: string): Client => {
    const known = clients.get(name);
    if (known !== undefined) return known;
    const account = config.accounts.find((one) => one.name === name);
    if (account === undefined) throw new Error(`assertion failed: there is an account \`${name}\``);
    const client = openClient(config, { account });
    clients.set(name, client);
    return client;
  };
  return {
    in(residency, account, tenant = RETAILER) {
      const name = tenant === RETAILER ? account : `${tenant}/${account}`;
      const key = `${name} ${residency}`;
      const id = config.tenants.find((one) => one.name === tenant)?.id ?? '';
      const cell = cells.get(key) ?? open(name).in(residency, { tenant: id });
      cells.set(key, cell);
      return cell;
    },
    async close() {
      await Promise.all([...clients.values()].map((client) => client.close()));
    },
  };
}
