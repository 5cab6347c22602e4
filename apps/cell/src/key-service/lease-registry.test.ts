// SPDX-License-Identifier: Apache-2.0
// Goal: a drop is settled only when every process that held a lease has signed or lost it, and who has not
// signed is given no more time. Method: a clock that moves when told; forged and misplaced statements.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  createUuidV7,
  type ProcessId,
  parseCellId,
  parseKeyId,
  parseProcessId,
  parseTenantId,
} from '@bailiwick/kernel';
import {
  LEASE_MARGIN_MS,
  LEASE_MS,
  type SignedStatement,
  signStatement,
  toStatementKey,
  verifyStatement,
} from '@bailiwick/keys';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { describe, expect, it } from 'vitest';
import type { Drop } from './api.ts';
import { LeaseRegistry } from './lease-registry.ts';

const cellId = parseCellId('eu-de/main');
const refused = { code: 'KEYS_SERVICE_REFUSED' };

function setUp(generation = 1) {
  const clock = createFakeClock();
  const random = createSeededRandom('lease-registry');
  const newId = (): string => createUuidV7({ clock, random });
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = toStatementKey(privateKey);
  const registry = new LeaseRegistry({ cellId, clock, generation, privateKey, publicKey });
  const drop: Drop = {
    kind: 'tenant',
    tenantId: parseTenantId(newId()),
    keyId: parseKeyId(newId()),
  };
  const join = () => {
    const processId = parseProcessId(newId());
    const keys = generateKeyPairSync('ed25519');
    registry.register({ processId, publicKey: toStatementKey(keys.privateKey) });
    return { processId, generation, privateKey: keys.privateKey };
  };
  return { clock, registry, drop, join, publicKey, newId };
}

function sign(
  process: {
    readonly processId: ProcessId;
    readonly generation: number;
    readonly privateKey: KeyObject;
  },
  revision: number,
  change: object = {},
): SignedStatement {
  return signStatement(process.privateKey, {
    kind: 'keys-dropped',
    at: '2026-01-01T00:00:00.000Z',
    process: process.processId,
    generation: process.generation,
    revision,
    ...change,
  });
}

async function isSettled(settled: Promise<unknown>): Promise<boolean> {
  const no = Symbol('no');
  return (await Promise.race([settled, Promise.resolve(no)])) !== no;
}

describe('a drop', () => {
  it('is settled by the statements of all', async () => {
    const { registry, drop, join } = setUp();
    const [one, two] = [join(), join()];
    const { revision, settled } = registry.publish(drop);
    registry.acknowledge(one, { revision, statement: sign(one, revision) });
    expect(await isSettled(settled)).toBe(false);
    registry.acknowledge(two, { revision, statement: sign(two, revision) });
    expect((await settled).length).toBe(2);
    registry.close();
  });

  it('is settled by the end of a silent process’s lease, for which the key service signs', async () => {
    const { registry, drop, join, clock, publicKey } = setUp();
    const one = join();
    const { settled } = registry.publish(drop);
    clock.advance(LEASE_MS + LEASE_MARGIN_MS - 1);
    expect(registry.renew(one, { revision: 0 }).isExtended).toBe(false);
    expect(await isSettled(settled)).toBe(false);
    clock.advance(2);
    expect(() => registry.assertLeased(one)).toThrow(expect.objectContaining(refused));
    const [statement] = await settled;
    if (statement === undefined) throw new Error('no statement');
    expect(verifyStatement(statement, [publicKey])).toMatchObject({
      kind: 'lease-lapsed',
      process: one.processId,
    });
    registry.close();
  });

  it('needs nobody when nobody holds a lease, but waits out earlier generations', async () => {
    const first = setUp();
    expect(await isSettled(first.registry.publish(first.drop).settled)).toBe(true);
    first.registry.close();
    const later = setUp(2);
    const { settled } = later.registry.publish(later.drop);
    expect(await isSettled(settled)).toBe(false);
    later.clock.advance(LEASE_MS + LEASE_MARGIN_MS + 1);
    const one = later.join();
    expect(later.registry.renew(one, { revision: 1 }).isExtended).toBe(true);
    expect((await settled).length).toBe(1);
    later.registry.close();
  });

  it('gives no more time to who has not signed, and time again once it has', async () => {
    const { registry, drop, join, clock } = setUp();
    const one = join();
    const { revision } = registry.publish(drop);
    clock.advance(600);
    const renewal = registry.renew(one, { revision: 0 });
    expect(renewal).toMatchObject({ isExtended: false, drops: [{ revision, drop }] });
    registry.acknowledge(one, { revision, statement: sign(one, revision) });
    expect(registry.renew(one, { revision })).toMatchObject({ isExtended: true, drops: [] });
    clock.advance(LEASE_MS);
    expect(() => registry.assertLeased(one)).not.toThrow();
    registry.close();
  });

  it('is told to who watches', () => {
    const { registry, drop, join } = setUp();
    const told: number[] = [];
    const stop = registry.watch(join(), {
      onDrop: ({ revision }) => told.push(revision),
      onEnd: () => undefined,
    });
    registry.publish(drop);
    stop();
    registry.publish(drop);
    expect(told).toEqual([1]);
    registry.close();
  });
});

describe('a statement', () => {
  it.each([
    ['of another kind', { kind: 'object-destroyed' }],
    ['of another generation', { generation: 7 }],
    ['of another revision', { revision: 9 }],
    ['of another process', { process: '0198c0de-0000-7000-8000-0000000000bb' }],
  ])('%s settles nothing', async (_, change) => {
    const { registry, drop, join } = setUp();
    const one = join();
    const { revision, settled } = registry.publish(drop);
    const statement = sign(one, revision, change);
    expect(() => registry.acknowledge(one, { revision, statement })).toThrow(
      expect.objectContaining(refused),
    );
    expect(await isSettled(settled)).toBe(false);
    registry.close();
  });

  it('signed by another process settles nothing', async () => {
    const { registry, drop, join } = setUp();
    const [one, two] = [join(), join()];
    const { revision, settled } = registry.publish(drop);
    const statement = sign({ ...one, privateKey: two.privateKey }, revision);
    expect(() => registry.acknowledge(one, { revision, statement })).toThrow(
      expect.objectContaining({ code: 'KEYS_STATEMENT_UNVERIFIED' }),
    );
    expect(await isSettled(settled)).toBe(false);
    registry.close();
  });
});

describe('a caller', () => {
  it('unknown, of another generation or with an impossible revision is refused', () => {
    const { registry, join, newId } = setUp(1);
    const one = join();
    const stranger = { processId: parseProcessId(newId()), generation: 1 };
    for (const call of [
      () => registry.assertLeased(stranger),
      () => registry.renew(stranger, { revision: 0 }),
      () => registry.renew({ ...one, generation: 2 }, { revision: 0 }),
      () => registry.renew(one, { revision: 5 }),
      () => registry.watch(stranger, { onDrop: () => undefined, onEnd: () => undefined }),
    ]) {
      expect(call).toThrow(expect.objectContaining(refused));
    }
    registry.close();
  });

  it('cannot take a registered process’s place with another key', () => {
    const { registry, join } = setUp();
    const { processId } = join();
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(() => registry.register({ processId, publicKey: toStatementKey(privateKey) })).toThrow(
      expect.objectContaining(refused),
    );
    registry.close();
  });
});
