// SPDX-License-Identifier: Apache-2.0
// Five real PostgreSQL servers, each over a directory of its own. Nothing but its URL file connects a
// process to its database.
import path from 'node:path';
import {
  BACKUP_ROLE,
  CELL_ROLE,
  CONTROL_ROLE,
  type EmbeddedServer,
  KEYS_ROLE,
  prepareCellDatabase,
  prepareControlDatabase,
  startEmbeddedServer,
  toRoleUrl,
} from '@bailiwick/postgres';
import { prepareSecret, writeSecret } from './identities.ts';
import type { CellPlan, Layout } from './layout.ts';

/** Files in which a process finds the URLs of its database. */
export function toSecretFile(directory: string, name: string): string {
  return path.join(directory, 'secrets', name);
}

/** Starts a cell's database, brings it to shape and writes the URLs for cell and key service. */
export async function startCellDatabase(plan: CellPlan): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({
    directory: path.join(plan.directory, 'postgres'),
    port: plan.ports.postgres,
  });
  try {
    const cellPassword = prepareSecret(toSecretFile(plan.directory, 'cell-password'));
    const keysPassword = prepareSecret(toSecretFile(plan.directory, 'keys-password'));
    const backupPassword = prepareSecret(toSecretFile(plan.directory, 'backup-password'));
    await prepareCellDatabase({
      ownerUrl: server.url,
      ...{ cellPassword, keysPassword, backupPassword },
    });
    const write = (name: string, role: string, password: string): void =>
      writeSecret(toSecretFile(plan.directory, name), toRoleUrl(server.url, { role, password }));
    write('database-url', CELL_ROLE, cellPassword);
    write('keys-database-url', KEYS_ROLE, keysPassword);
    write('backup-database-url', BACKUP_ROLE, backupPassword);
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Starts the control plane's database likewise. */
export async function startControlDatabase(layout: Layout): Promise<EmbeddedServer> {
  const { directory, postgresPort } = layout.control;
  const server = await startEmbeddedServer({
    directory: path.join(directory, 'postgres'),
    port: postgresPort,
  });
  try {
    const password = prepareSecret(toSecretFile(directory, 'control-password'));
    await prepareControlDatabase({ ownerUrl: server.url, controlPassword: password });
    writeSecret(
      toSecretFile(directory, 'database-url'),
      toRoleUrl(server.url, { role: CONTROL_ROLE, password }),
    );
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}
