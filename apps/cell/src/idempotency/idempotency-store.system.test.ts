// SPDX-License-Identifier: Apache-2.0
// Goal: one request at a time for each key; what is under way stays held however long it takes; a request
// whose process died can be made again soon. Method: two stores over one real database, as two processes.
import { createSecretKey, randomBytes, randomUUID } from 'node:crypto';
import { parseTenantId } from '@bailiwick/kernel';
import { type Database, openDatabase } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdempotencyStore, HOLD_MS, type IdempotencyHold } from './idempotency-store.ts';

const tenantId = parseTenantId(randomUUID());
const macKey = createSecretKey(randomBytes(32));
let test: TestDatabase;
let database: Database;

beforeAll(async () => {
  test = await withTestDatabase();
  database = openDatabase({ url: test.url, poolSize: 4, applicationName: 'test' });
});
afterAll(async () => {
  await database.close();
  await test.close();
});

const toRequest = (key: string, holdMs = HOLD_MS) => ({
  tenantId,
  account: 'account',
  key,
  content: 'POST /v1/things\n\n{}',
  holder: randomUUID(),
  holdMs,
});

function assertHold(begun: object): asserts begun is IdempotencyHold {
  if (!('keyMac' in begun)) throw new Error('expected a hold');
}

describe('a request with an Idempotency-Key', () => {
  it('is made by one process at a time, and answered from then on', async () => {
    const [one, other] = [
      createIdempotencyStore(database, macKey),
      createIdempotencyStore(database, macKey),
    ];
    const hold = await one.begin(toRequest('once'));
    assertHold(hold);
    await expect(other.begin(toRequest('once'))).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_IN_FLIGHT',
    });
    await one.finish(hold, { status: 201, body: '{}' });
    expect(await other.begin(toRequest('once'))).toEqual({ status: 201, body: '{}' });
    await expect(
      other.begin({ ...toRequest('once'), content: 'another body' }),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('stays held while it is under way, longer than a hold lasts by itself', async () => {
    const store = createIdempotencyStore(database, macKey);
    const hold = await store.begin(toRequest('long', 3_500));
    assertHold(hold);
    // Renewed after three seconds, for a whole hold.
    await expect
      .poll(
        async () => {
          const { rows } = await database.withTenant(tenantId, (tx) =>
            tx.query<{ left: number }>(
              `SELECT extract(epoch FROM held_until - now())::float8 AS left
                 FROM cell.idempotency_keys WHERE key_mac = $1`,
              [hold.keyMac],
            ),
          );
          return rows[0]?.left ?? 0;
        },
        { timeout: 8_000, interval: 100 },
      )
      .toBeGreaterThan(4);
    await expect(
      createIdempotencyStore(database, macKey).begin(toRequest('long')),
    ).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_IN_FLIGHT' });
    await store.giveUp(hold);
    assertHold(await store.begin(toRequest('long')));
  });

  it('can be made again once the hold of a process that died has ended', async () => {
    const dead = createIdempotencyStore(database, macKey);
    const hold = await dead.begin(toRequest('died', 50));
    assertHold(hold);
    const living = createIdempotencyStore(database, macKey);
    await expect
      .poll(() => living.begin(toRequest('died')).catch(() => undefined), { timeout: 2_000 })
      .toBeDefined();
    // The dead one comes back: what it says no longer counts.
    await dead.finish(hold, { status: 500, body: 'late' });
    await expect(living.begin(toRequest('died'))).rejects.toMatchObject({
      code: 'IDEMPOTENCY_KEY_IN_FLIGHT',
    });
  });
});
