// SPDX-License-Identifier: Apache-2.0
// A pool of connections and the two kinds of transactions. Tenant tables are under forced row security:
// without `withTenant` a query sees none of their rows.
import type { TenantId } from '@bailiwick/kernel';
import { parseTenantId } from '@bailiwick/kernel';
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely';
import { Pool, type PoolClient } from 'pg';
import { PostgresError } from './errors.ts';

const STATEMENT_TIMEOUT_MS = 30_000;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 10_000;

/** An open pool. Its errors can quote values in `message`, `detail` and `where`: never log those. */
export interface Database {
  readonly pool: Pool;
  /** One transaction that sees one tenant's rows and no other's. Rolls back when `work` throws. */
  withTenant<T>(tenantId: TenantId, work: (tx: PoolClient) => Promise<T>): Promise<T>;
  /** One transaction without a tenant: tenant tables look empty and take no row. */
  withTransaction<T>(work: (tx: PoolClient) => Promise<T>): Promise<T>;
  /** Waits for what is running, then closes. */
  close(): Promise<void>;
}

export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly applicationName: string;
  readonly statementTimeoutMs?: number;
  /** Told the code of an error on an idle connection (server restarted and the like). */
  readonly onIdleError?: (code: string) => void;
}

const BROKEN = new WeakSet<PoolClient>();

async function transact<T>(
  pool: Pool,
  begin: string,
  work: (tx: PoolClient) => Promise<T>,
): Promise<T> {
  const tx = await pool.connect();
  try {
    await tx.query(begin);
    const result = await work(tx);
    await tx.query('COMMIT');
    return result;
  } catch (error) {
    // A connection that cannot even roll back is thrown away: it must not carry a tenant to another.
    await tx.query('ROLLBACK').catch(() => BROKEN.add(tx));
    throw error;
  } finally {
    tx.release(BROKEN.has(tx));
  }
}

/** Opens a pool of at most `poolSize` connections; connects on first use. */
export function openDatabase(options: DatabaseOptions): Database {
  if (!URL.canParse(options.url)) {
    throw new PostgresError('POSTGRES_URL_INVALID', 'expected a postgres:// url');
  }
  const pool = new Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    idleTimeoutMillis: 0,
    keepAlive: true,
    statement_timeout: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  });
  // A connection that is lost while somebody holds it tells its own `error` beside failing the query; with
  // nobody listening it would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  pool.on('error', (error) => {
    options.onIdleError?.('code' in error ? String(error.code) : 'unknown');
  });
  return {
    pool,
    withTenant(tenantId, work) {
      // SECURITY: the tenant stands in the statement's text, in the round trip that begins; it is parsed
      // again here so that nothing but a UUID can stand there.
      const tenant = parseTenantId(tenantId);
      return transact(pool, `BEGIN; SET LOCAL bailiwick.tenant = '${tenant}'`, work);
    },
    withTransaction: (work) => transact(pool, 'BEGIN', work),
    close: () => pool.end(),
  };
}

/** Builds typed SQL that is run with `runQuery`; it has no connection of its own. */
export function createQueryBuilder<Tables>(): Kysely<Tables> {
  return new Kysely<Tables>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  });
}

/** Runs a query made by `createQueryBuilder` in a transaction of `withTenant` or `withTransaction`. */
export async function runQuery<Row>(
  tx: PoolClient,
  query: { compile(): CompiledQuery<Row> },
): Promise<Row[]> {
  const compiled = query.compile();
  const { rows } = await tx.query<Row & Record<string, unknown>>(compiled.sql, [
    ...compiled.parameters,
  ]);
  return rows;
}
