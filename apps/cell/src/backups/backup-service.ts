// SPDX-License-Identifier: Apache-2.0
// A cell's backups: on schedule and when an operator asks, each decided by the charter, entered, and verified
// before it counts. The ledger is copied beside them all the time.
import {
  type BackupKind,
  type BackupManifest,
  findSegment,
  hasObject,
  listExpired,
} from '@bailiwick/backups';
import { isCoded, toInstant } from '@bailiwick/kernel';
import { openDirectoryStore } from '@bailiwick/object-store';
import { type Database, openDatabase } from '@bailiwick/postgres';
import { readSecretFile } from '../config.ts';
import { CellError } from '../errors.ts';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import type { CellRuntime } from '../runtime.ts';
import { type BackupPermits, decideBackups } from './backup-law.ts';
import { findFacts } from './facts-copy.ts';
import { createLedgerCopy, type LedgerCopy } from './ledger-copy.ts';
import { FULL_INTERVAL_HOURS, STATEMENT_TIMEOUT_MS } from './limits.ts';
import { listManifests } from './manifests.ts';
import { type BackupVault, openVault, readBackupKey } from './sealed-object.ts';
import { requireManifest, takeBackup } from './take-backup.ts';
import { type VerifiedBackup, verifyBackup } from './verify-backup.ts';

const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;
/** A schedule that failed tries again after this. */
const RETRY_MS = 60_000;

type BackupsConfig = NonNullable<CellRuntime['config']['backups']>;

/** What a cell does about backups. */
export interface CellBackups {
  readonly ledgerCopy: LedgerCopy;
  readonly vault: BackupVault;
  /** @throws {CellError} `BACKUP_DENIED`, `BACKUP_UNDER_WAY`; {BackupsError} */
  take(options: {
    readonly kind: BackupKind;
    /** Who asked; absent for the schedule. */
    readonly operator?: string;
  }): Promise<BackupManifest>;
  list(): Promise<readonly BackupManifest[]>;
  verify(backupId: string): Promise<VerifiedBackup>;
  start(): void;
  stop(): Promise<void>;
}

/** Opens the backups that the configuration names. @throws {BackupsError} {CellError} */
export async function openCellBackups(
  runtime: CellRuntime,
  ledger: Pick<CellLedger, 'epoch'>,
): Promise<CellBackups | undefined> {
  const { backups } = runtime.config;
  if (backups === undefined) return undefined;
  const store = await openDirectoryStore({ directory: backups.store.directory });
  const key = readBackupKey(backups.keyFile);
  const vault = openVault({ store, key, cellId: runtime.cellId });
  const database = openDatabase({
    url: readSecretFile(backups.urlFile),
    poolSize: 3,
    applicationName: `backups ${runtime.cellId}`,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onIdleError: (code) => runtime.log.warn('database connection lost', { code }),
  });
  const ledgerCopy = createLedgerCopy({ ...runtime, database, vault }, { epoch: ledger.epoch });
  return new Backups({ runtime, backups, database, vault, ledgerCopy });
}

interface Parts {
  readonly runtime: CellRuntime;
  readonly backups: BackupsConfig;
  readonly database: Database;
  readonly vault: BackupVault;
  readonly ledgerCopy: LedgerCopy;
}

class Backups implements CellBackups {
  readonly ledgerCopy: LedgerCopy;
  readonly vault: BackupVault;
  readonly #parts: Parts;
  #underWay: Promise<unknown> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isStopped = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.vault = parts.vault;
    this.ledgerCopy = parts.ledgerCopy;
  }

  async take(options: Parameters<CellBackups['take']>[0]): Promise<BackupManifest> {
    if (this.#underWay !== undefined) {
      throw new CellError('BACKUP_UNDER_WAY', 'a backup is being taken');
    }
    const work = this.#take(options);
    this.#underWay = work;
    try {
      return await work;
    } finally {
      this.#underWay = undefined;
    }
  }

  async #take({ kind, operator }: Parameters<CellBackups['take']>[0]): Promise<BackupManifest> {
    const { runtime, backups, database, vault } = this.#parts;
    const { config, entries } = runtime;
    const place = backups.place ?? {
      jurisdiction: config.location.jurisdiction,
      operator: config.operator.jurisdiction,
    };
    const permits = decideBackups(runtime, place);
    await this.#enterPermits(permits, operator);
    const manifest = await takeBackup(
      { ...runtime, database, vault },
      {
        kind,
        keepDays: backups.keepDays,
        exceptTenants: permits.denied.map(({ tenantId }) => tenantId),
        configuration: toShown(config),
      },
    );
    await entries.record(undefined, {
      kind: 'backup',
      facts: {
        backup: manifest.backupId,
        backupKind: manifest.kind,
        tablesCount: manifest.tables.length,
        rowsCount: manifest.tables.reduce((sum, { rowsCount }) => sum + rowsCount, 0),
        ledgerSize: manifest.ledger.size,
        retainUntil: manifest.retainUntil,
        tenantsCount: permits.allowed.length,
        deniedCount: permits.denied.length,
        ...(operator === undefined ? {} : { operator }),
      },
    });
    runtime.log.info('backup taken', { kind: manifest.kind, count: manifest.tables.length });
    await this.#forgetExpired();
    return manifest;
  }

  /** INVARIANT 3: what the charter said is on record before the first byte is copied. */
  async #enterPermits(permits: BackupPermits, operator: string | undefined): Promise<void> {
    const { runtime } = this.#parts;
    for (const { tenantId, decision } of permits.denied) {
      await runtime.entries.record(tenantId, {
        kind: 'refusal',
        decision: {
          outcome: decision.outcome,
          rules: decision.rules,
          ...(decision.cause === undefined ? {} : { cause: decision.cause }),
          obligations: [],
          charter: decision.charter.hash,
          serial: decision.charter.serial,
        },
        facts: { refused: 'backup', ...(operator === undefined ? {} : { operator }) },
      });
    }
    if (permits.allowed.length > 0 || permits.denied.length === 0) return;
    throw new CellError(
      'BACKUP_DENIED',
      'the charter lets no tenant’s data into this store: see `place` and the rules for backups',
    );
  }

  list(): Promise<readonly BackupManifest[]> {
    return listManifests(this.vault, this.#parts.runtime.cellId);
  }

  async verify(backupId: string): Promise<VerifiedBackup> {
    return verifyBackup(this.vault, requireManifest(await this.list(), backupId));
  }

  start(): void {
    this.ledgerCopy.start();
    this.#timer ??= setTimeout(() => this.#tick(), 0);
    this.#timer.unref();
  }

  #tick(): void {
    const { runtime } = this.#parts;
    this.#takeWhenDue()
      .catch((error: unknown) => {
        if (!isCoded(error, 'BACKUP_UNDER_WAY')) {
          runtime.log.error('backup failed', { error });
        }
        return RETRY_MS;
      })
      .then((waitMs) => {
        if (this.#isStopped) return;
        this.#timer = setTimeout(() => this.#tick(), waitMs);
        this.#timer.unref();
      });
  }

  /** Gives the time until the next look. */
  async #takeWhenDue(): Promise<number> {
    const { runtime, backups } = this.#parts;
    // Without a charter nothing may be copied, and nothing is here yet.
    if (runtime.law.find() === undefined) return RETRY_MS / 60;
    const intervalMs = backups.everyMinutes * MS_PER_MINUTE;
    const manifests = await this.list();
    const nowMs = runtime.clock.nowMs();
    const sinceMs = (one: BackupManifest | undefined): number =>
      one === undefined ? Number.POSITIVE_INFINITY : nowMs - Date.parse(one.at);
    const dueInMs = intervalMs - sinceMs(manifests.at(-1));
    if (dueInMs > 0) return Math.min(dueInMs, intervalMs);
    const full = manifests.findLast(({ kind }) => kind === 'full');
    const isFull = sinceMs(full) >= FULL_INTERVAL_HOURS * MS_PER_HOUR;
    await this.take({ kind: isFull ? 'full' : 'incremental' });
    return intervalMs;
  }

  async #forgetExpired(): Promise<void> {
    const { runtime } = this.#parts;
    const { store } = this.vault;
    const nowMs = runtime.clock.nowMs();
    const manifests = await this.list();
    const expired = listExpired(manifests, { now: toInstant(nowMs) });
    for (const { backupId, tables } of expired) {
      // The manifest goes first: a backup without one is none, and no restore finds half of it.
      await store.remove(`manifests/${backupId}`, { nowMs });
      for (const { object } of tables.filter(hasObject)) await store.remove(object, { nowMs });
    }
    const full = manifests.findLast(({ kind }) => kind === 'full');
    const pieces = [...(await store.list('ledger/')), ...(await store.list('facts/'))];
    for (const { name, retainUntilMs } of pieces) {
      const segment = findSegment(name) ?? findFacts(name);
      if (segment === undefined || full === undefined || retainUntilMs > nowMs) continue;
      if (segment.epoch === full.ledger.epoch && segment.end <= full.ledger.size) {
        await store.remove(name, { nowMs });
      }
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    await this.#underWay?.catch(() => undefined);
    await this.ledgerCopy.stop();
    await this.#parts.database.close();
  }
}

/** The configuration as a restore may want to see it; secrets stand in files of their own and are not in it. */
function toShown({ cell, location, operator, ledger, trust }: CellRuntime['config']): unknown {
  return { cell, location, operator, ledger: { epoch: ledger.epoch }, trust };
}
