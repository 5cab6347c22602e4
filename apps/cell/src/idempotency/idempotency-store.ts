// SPDX-License-Identifier: Apache-2.0
// Answers kept by Idempotency-Key, durably and per tenant. Key and body are stored as keyed hashes
// (invariant 7: both are chosen by callers); the answer must hold no personal value.
import { createHmac, type KeyObject } from 'node:crypto';
import type { TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import { CellError } from '../errors.ts';

export interface StoredAnswer {
  readonly status: number;
  readonly body: string;
}

/** A request that may be made now; it must be finished or given up. */
export interface IdempotencyHold {
  readonly tenantId: TenantId;
  readonly keyMac: Buffer;
  readonly holder: string;
}

export interface IdempotencyStore {
  /**
   * The stored answer of an earlier request, or a hold on this one.
   *
   * @throws {CellError} `IDEMPOTENCY_KEY_REUSED`, `IDEMPOTENCY_KEY_IN_FLIGHT`
   */
  begin(request: {
    readonly tenantId: TenantId;
    readonly account: string;
    readonly key: string;
    /** Method, path and canonical body. */
    readonly content: string;
    /** Id of this request. */
    readonly holder: string;
    readonly holdMs: number;
  }): Promise<StoredAnswer | IdempotencyHold>;
  finish(hold: IdempotencyHold, answer: StoredAnswer): Promise<void>;
  /** Nothing was done: the same key may be used again. */
  giveUp(hold: IdempotencyHold): Promise<void>;
  /** Deletes the answers of a tenant that are older than this. */
  forget(tenantId: TenantId, options: { readonly olderThanMs: number }): Promise<number>;
}

/** Largest answer that is kept, in characters. */
export const ANSWER_LENGTH_MAX = 65_536;

interface Row {
  readonly body_mac: Buffer;
  readonly status: number | null;
  readonly answer: string | null;
}

/**
 * How long a hold lasts by itself, and how often those of requests under way are renewed: who repeats a
 * request of a process that died waits for so long and not for as long as a request may take.
 */
export const HOLD_MS = 10_000;
const RENEW_MS = 3_000;

/** Keeps the holds of this process alive while their requests are under way. */
class Holds {
  readonly #database: Database;
  readonly #active = new Map<string, IdempotencyHold>();
  #timer: NodeJS.Timeout | undefined;

  constructor(database: Database) {
    this.#database = database;
  }

  add(hold: IdempotencyHold): void {
    this.#active.set(hold.holder, hold);
    this.#timer ??= setInterval(() => void this.#renew(), RENEW_MS).unref();
  }

  delete({ holder }: IdempotencyHold): void {
    this.#active.delete(holder);
    if (this.#active.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #renew(): Promise<void> {
    const byTenant = Map.groupBy(this.#active.values(), ({ tenantId }) => tenantId);
    for (const [tenantId, holds] of byTenant) {
      const holders = holds.map(({ holder }) => holder);
      // What cannot be renewed now may be next time; a hold that ends meanwhile is nobody's any more.
      await this.#database
        .withTenant(tenantId, (tx) =>
          tx.query(
            `UPDATE cell.idempotency_keys
                SET held_until = now() + make_interval(secs => $2::double precision / 1000)
              WHERE tenant_id = $3 AND key_mac = ANY ($4) AND holder = ANY ($1::uuid[])`,
            [holders, HOLD_MS, tenantId, holds.map(({ keyMac }) => keyMac)],
          ),
        )
        .catch(() => undefined);
    }
  }
}

/** Makes the store; `macKey` is a secret of this cell, the same in all its processes. */
export function createIdempotencyStore(database: Database, macKey: KeyObject): IdempotencyStore {
  const mac = (domain: string, text: string): Buffer =>
    createHmac('sha256', macKey)
      .update(`bailiwick/idempotency/${domain}/v1\0`)
      .update(text)
      .digest();
  const holds = new Holds(database);
  return {
    async begin({ tenantId, account, key, content, holder, holdMs }) {
      const keyMac = mac('key', `${account}\0${key}`);
      const bodyMac = mac('body', content);
      const row = await claim(database, { tenantId, keyMac, bodyMac, holder, holdMs });
      if (row === undefined) {
        const hold = { tenantId, keyMac, holder };
        holds.add(hold);
        return hold;
      }
      if (!row.body_mac.equals(bodyMac)) {
        throw new CellError('IDEMPOTENCY_KEY_REUSED', 'the key was used with another request');
      }
      if (row.status !== null) return { status: row.status, body: row.answer ?? '' };
      throw new CellError('IDEMPOTENCY_KEY_IN_FLIGHT', 'the first request is still under way');
    },
    finish(hold, { status, body }) {
      const { tenantId, keyMac, holder } = hold;
      holds.delete(hold);
      return database.withTenant(tenantId, async (tx) => {
        await tx.query(
          `UPDATE cell.idempotency_keys SET holder = NULL, status = $3, answer = $4
           WHERE key_mac = $1 AND holder = $2`,
          [keyMac, holder, status, body],
        );
      });
    },
    giveUp(hold) {
      const { tenantId, keyMac, holder } = hold;
      holds.delete(hold);
      return database.withTenant(tenantId, async (tx) => {
        await tx.query('DELETE FROM cell.idempotency_keys WHERE key_mac = $1 AND holder = $2', [
          keyMac,
          holder,
        ]);
      });
    },
    forget: (tenantId, { olderThanMs }) =>
      database.withTenant(tenantId, async (tx) => {
        const { rowCount } = await tx.query(
          `DELETE FROM cell.idempotency_keys
           WHERE created_at < now() - make_interval(secs => $1::double precision / 1000)`,
          [olderThanMs],
        );
        return rowCount ?? 0;
      }),
  };
}

interface Claim {
  readonly tenantId: TenantId;
  readonly keyMac: Buffer;
  readonly bodyMac: Buffer;
  readonly holder: string;
  readonly holdMs: number;
}

/** Takes the key, also from a request that died with it; otherwise tells what is there. */
async function claim(database: Database, request: Claim): Promise<Row | undefined> {
  const { tenantId, keyMac, bodyMac, holder, holdMs } = request;
  return database.withTenant(tenantId, async (tx) => {
    const taken = await tx.query(
      `INSERT INTO cell.idempotency_keys AS k (tenant_id, key_mac, body_mac, holder, held_until)
       VALUES ($1, $2, $3, $4, now() + make_interval(secs => $5::double precision / 1000))
       ON CONFLICT (tenant_id, key_mac) DO UPDATE
         SET holder = excluded.holder, held_until = excluded.held_until
         WHERE k.status IS NULL AND k.held_until < now() AND k.body_mac = excluded.body_mac`,
      [tenantId, keyMac, bodyMac, holder, holdMs],
    );
    if ((taken.rowCount ?? 0) > 0) return undefined;
    const { rows } = await tx.query<Row>(
      `SELECT body_mac, status, answer
       FROM cell.idempotency_keys WHERE key_mac = $1`,
      [keyMac],
    );
    const [row] = rows;
    if (row !== undefined) return row;
    throw new CellError('IDEMPOTENCY_KEY_IN_FLIGHT', 'the first request was just given up');
  });
}
