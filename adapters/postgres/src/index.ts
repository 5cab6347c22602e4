// SPDX-License-Identifier: Apache-2.0
export { type CopyOut, copyIn, copyInto, copyOut } from './copy.ts';
export {
  createQueryBuilder,
  type Database,
  type DatabaseOptions,
  openDatabase,
  runQuery,
} from './database.ts';
export {
  type EmbeddedServer,
  type EmbeddedServerOptions,
  findFreePort,
  startEmbeddedServer,
} from './embedded-server.ts';
export { PostgresError, type PostgresErrorCode } from './errors.ts';
export { type DatabaseFault, findDatabaseFault } from './fault.ts';
export { createPostgresKeyRequestStore } from './key-request-store.ts';
export { createPostgresKeyRotationStore } from './key-rotation-store.ts';
export { createPostgresKeyStateStore } from './key-state-store.ts';
export {
  type AppendOptions,
  appendEntries,
  CELL_SCOPE_ID,
  createPostgresLogStore,
} from './log-store.ts';
export {
  prepareCellDatabase,
  prepareControlDatabase,
  readMigrations,
  toRoleUrl,
} from './migrate.ts';
export { BACKUP_ROLE, CELL_ROLE, CONTROL_ROLE, KEYS_ROLE } from './role.ts';
export { createPostgresWitnessStore } from './witness-store.ts';
export { createPostgresWrapStore } from './wrap-store.ts';
