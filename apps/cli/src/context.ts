// SPDX-License-Identifier: Apache-2.0
// What each command receives: its arguments, where to write, and the way to the cells, opened when first
// asked for and closed when the command ends.
import type { Cell, Client } from '@bailiwick/sdk';
import type { ClientConfig } from './config.ts';
import type { GlobalOptions } from './globals.ts';
import type { Output } from './output.ts';

/** One run of one command. */
export interface Context {
  readonly output: Output;
  readonly globals: GlobalOptions;
  /** The client configuration in force. */
  config(): Promise<ClientConfig>;
  /** The client of the account chosen. */
  client(): Promise<Client>;
  /** The tenant's cell of a residency, signed in to. */
  cell(residency: string): Promise<Cell>;
  /** What ends with the command. */
  readonly closers: (() => Promise<void>)[];
}

/** Makes a context; nothing is read or connected yet. */
export function createContext(output: Output, globals: GlobalOptions): Context {
  const closers: (() => Promise<void>)[] = [];
  let config: Promise<ClientConfig> | undefined;
  let client: Promise<Client> | undefined;
  const context: Context = {
    output,
    globals,
    closers,
    config() {
      config ??= import('./config.ts').then(({ loadConfig }) => loadConfig(globals));
      return config;
    },
    client() {
      client ??= Promise.all([context.config(), import('./connect.ts')]).then(
        ([loaded, { openClient }]) => {
          const opened = openClient(loaded);
          closers.push(() => opened.close());
          return opened;
        },
      );
      return client;
    },
    async cell(residency) {
      const [{ tenant, purpose }, opened] = [await context.config(), await context.client()];
      return opened.in(residency, {
        tenant: tenant.value.id,
        ...(purpose.value === undefined ? {} : { purpose: purpose.value }),
      });
    },
  };
  return context;
}
