// SPDX-License-Identifier: Apache-2.0
// Goal: a database is brought to this version's shape once, by whoever comes first, and refused when its
// shape or its roles are not what they must be.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from './database.ts';
import { prepareCellDatabase, readMigrations, toRoleUrl } from './migrate.ts';
import { CELL_ROLE } from './role.ts';
import { type TestDatabase, withTestDatabase } from './testing.ts';

const PASSWORDS = {
  cellPassword: 'test-password-0123456789',
  keysPassword: 'test-password-0123456789',
};

let holder: TestDatabase;

beforeAll(async () => {
  holder = await withTestDatabase({ kind: 'empty' });
});
afterAll(() => holder.close());

async function withEmpty(work: (database: TestDatabase) => Promise<void>): Promise<void> {
  const database = await withTestDatabase({ kind: 'empty' });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return 'done';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

describe('preparing a cell’s database', () => {
  it('is done once, by any number at once, and again changes nothing', () =>
    withEmpty(async ({ ownerUrl, asOwner }) => {
      const all = await Promise.all(
        [1, 2, 3].map(() => codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS }))),
      );
      expect(all).toEqual(['done', 'done', 'done']);
      const names = readMigrations('cell').map(({ name }) => name);
      expect(names.length).toBeGreaterThan(3);
      const applied = 'SELECT name, applied_at FROM bailiwick.migrations ORDER BY name';
      const first = await asOwner(applied);
      expect(first.map(({ name }) => name)).toEqual(names);
      await prepareCellDatabase({ ownerUrl, ...PASSWORDS });
      expect(await asOwner(applied)).toEqual(first);
    }));

  it('stops at a migration that changed after it was applied, and at one from the future', () =>
    withEmpty(async ({ ownerUrl, asOwner }) => {
      await prepareCellDatabase({ ownerUrl, ...PASSWORDS });
      const update =
        'UPDATE bailiwick.migrations SET sha256 = $1 WHERE name LIKE $2 RETURNING sha256';
      const [before] = readMigrations('cell');
      await asOwner(update, ['0', '000%']);
      expect(await codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS }))).toBe(
        'POSTGRES_MIGRATION_CHANGED',
      );
      await asOwner(update, [before?.sha256, '000%']);
      expect(await codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS }))).toBe('done');
      await asOwner(`INSERT INTO bailiwick.migrations VALUES ('999-later.sql', '0')`);
      expect(await codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS }))).toBe(
        'POSTGRES_MIGRATION_CHANGED',
      );
    }));

  it.each([
    ['BYPASSRLS', 'NOBYPASSRLS'],
    ['SUPERUSER', 'NOSUPERUSER'],
    ['CREATEROLE', 'NOCREATEROLE'],
  ])('refuses a role with %s', (right, without) =>
    withEmpty(async ({ ownerUrl, asOwner }) => {
      await prepareCellDatabase({ ownerUrl, ...PASSWORDS });
      await asOwner(`ALTER ROLE ${CELL_ROLE} ${right}`);
      try {
        expect(await codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS }))).toBe(
          'POSTGRES_ROLE_UNSAFE',
        );
      } finally {
        await asOwner(`ALTER ROLE ${CELL_ROLE} ${without}`);
      }
    }),
  );

  it('refuses weak passwords, other urls and servers that are not there', async () => {
    const { ownerUrl } = holder;
    expect(
      await codeOf(prepareCellDatabase({ ownerUrl, ...PASSWORDS, cellPassword: 'short' })),
    ).toBe('POSTGRES_PASSWORD_INVALID');
    expect(await codeOf(prepareCellDatabase({ ownerUrl: 'mysql://x/y', ...PASSWORDS }))).toBe(
      'POSTGRES_URL_INVALID',
    );
    const nowhere = 'postgres://user:hidden@127.0.0.1:1/none';
    await expect(prepareCellDatabase({ ownerUrl: nowhere, ...PASSWORDS })).rejects.toMatchObject({
      code: 'POSTGRES_UNREACHABLE',
      message: expect.not.stringContaining('hidden'),
    });
  });

  it('puts every table that has a tenant under forced row security', () =>
    withEmpty(async ({ ownerUrl, asOwner }) => {
      await prepareCellDatabase({ ownerUrl, ...PASSWORDS });
      const tables = await asOwner<{ name: string; is_forced: boolean }>(
        `SELECT c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_forced
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p') ORDER BY 1`,
      );
      expect(tables.length).toBeGreaterThan(10);
      const open = tables.filter((table) => !table.is_forced).map(({ name }) => name);
      // The key service is one process for all tenants of its cell and filters by itself.
      expect(open.filter((name) => !name.startsWith('keys.'))).toEqual([]);
    }));
});

describe('a transaction', () => {
  it('belongs to one tenant and leaves nothing of it on the connection', async () => {
    const tenant = '018f0000-0000-7000-8000-000000000001';
    const database = openDatabase({ url: holder.ownerUrl, poolSize: 1, applicationName: 'test' });
    const seen = `SELECT nullif(current_setting('bailiwick.tenant', true), '') AS tenant`;
    const tenantOf = async (): Promise<unknown> =>
      (await database.withTransaction((tx) => tx.query(seen))).rows[0];
    try {
      const { parseTenantId } = await import('@bailiwick/kernel');
      const id = parseTenantId(tenant);
      const inside = await database.withTenant(id, (tx) => tx.query(seen));
      expect(inside.rows).toEqual([{ tenant }]);
      expect(await tenantOf()).toEqual({ tenant: null });
      const failing = database.withTenant(id, () => Promise.reject(new Error('stop')));
      await expect(failing).rejects.toThrow('stop');
      expect(await tenantOf()).toEqual({ tenant: null });
      const injected = Object(`${tenant}'; SELECT '1`);
      await expect(async () => database.withTenant(injected, async () => 1)).rejects.toMatchObject({
        code: 'KERNEL_ID_INVALID',
      });
    } finally {
      await database.close();
    }
  });

  it('survives the loss of its connection', async () => {
    const database = openDatabase({
      url: holder.ownerUrl,
      poolSize: 1,
      applicationName: 'test-lost',
    });
    try {
      const lost = database.withTransaction(async (tx) => {
        await holder.asOwner(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'test-lost'`,
        );
        return tx.query('SELECT 1');
      });
      expect(await codeOf(lost)).not.toBe('done');
      const again = await database.withTransaction((tx) => tx.query('SELECT 1 AS one'));
      expect(again.rows).toEqual([{ one: 1 }]);
    } finally {
      await database.close();
    }
  });

  it('signs in as the role that its url names', () => {
    const url = toRoleUrl('postgres://owner:a@127.0.0.1:5/db', { role: 'x', password: 'p@:/' });
    expect(new URL(url).username).toBe('x');
    expect(decodeURIComponent(new URL(url).password)).toBe('p@:/');
  });
});
