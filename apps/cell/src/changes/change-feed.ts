// SPDX-License-Identifier: Apache-2.0
// Tells the other processes of a cell what this one has changed of what they keep in memory, by the
// database's own notifications: they are sent when the change commits, and carry ids only. While the
// connection is lost nobody is told, so listeners drop what they have and ask the database each time.
import { randomUUID } from 'node:crypto';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import type { PoolClient } from 'pg';

const CHANNEL = 'bailiwick_changes';
const RETRY_MS = 250;
const KINDS = ['standing', 'order'] as const;

/** What has changed. */
export interface Change {
  readonly kind: (typeof KINDS)[number];
  readonly tenantId: TenantId;
  /** Of the person or the order. */
  readonly id: string;
}

export interface ChangeListener {
  /** Another process has changed something. */
  readonly onChange: (change: Change) => void;
  /** Changes may have been missed. */
  readonly onReset: () => void;
}

export interface ChangeFeed {
  /** True while changes of other processes arrive. */
  isLive(): boolean;
  /** Tells the others once the caller's transaction commits. */
  publish(tx: PoolClient, change: Change): Promise<void>;
  listen(listener: ChangeListener): void;
  /** Resolves when the first connection listens, or has failed and is tried again. */
  start(): Promise<void>;
  stop(): void;
}

/** Makes the feed of a process. */
export function createChangeFeed(ports: {
  readonly database: Database;
  readonly log: Log;
}): ChangeFeed {
  return new DatabaseFeed(ports);
}

class DatabaseFeed implements ChangeFeed {
  readonly #ports: { readonly database: Database; readonly log: Log };
  readonly #self = randomUUID();
  readonly #listeners: ChangeListener[] = [];
  #client: PoolClient | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(ports: { readonly database: Database; readonly log: Log }) {
    this.#ports = ports;
  }

  isLive(): boolean {
    return this.#client !== undefined;
  }

  async publish(tx: PoolClient, { kind, tenantId, id }: Change): Promise<void> {
    const payload = `${this.#self} ${kind} ${tenantId} ${id}`;
    await tx.query('SELECT pg_notify($1, $2)', [CHANNEL, payload]);
  }

  listen(listener: ChangeListener): void {
    this.#listeners.push(listener);
  }

  async start(): Promise<void> {
    if (this.#isStopped) return;
    let client: PoolClient | undefined;
    try {
      client = await this.#ports.database.pool.connect();
      const held = client;
      held.on('notification', ({ payload }) => this.#take(payload ?? ''));
      held.on('error', () => this.#lose(held));
      held.on('end', () => this.#lose(held));
      await held.query(`LISTEN ${CHANNEL}`);
      if (this.#isStopped) return held.release(true);
      this.#client = held;
      // What was read before the connection listened may be out of date.
      for (const { onReset } of this.#listeners) onReset();
    } catch {
      client?.release(true);
      this.#retryLater();
    }
  }

  #take(payload: string): void {
    const [self, kind, tenant, id] = payload.split(' ');
    const known = KINDS.find((one) => one === kind);
    if (self === this.#self || known === undefined || tenant === undefined || id === undefined) {
      return;
    }
    const change = { kind: known, tenantId: parseTenantId(tenant), id };
    for (const { onChange } of this.#listeners) onChange(change);
  }

  #lose(client: PoolClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.release(true);
    this.#ports.log.warn('other processes are not heard; the database is asked each time', {});
    for (const { onReset } of this.#listeners) onReset();
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#isStopped) return;
    this.#retry = setTimeout(() => void this.start(), RETRY_MS);
    this.#retry.unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#retry);
    const client = this.#client;
    this.#client = undefined;
    client?.release(true);
  }
}
