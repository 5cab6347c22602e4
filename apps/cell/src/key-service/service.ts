// SPDX-License-Identifier: Apache-2.0
// The key service: the only holder of the provider's credential and the erasable store. It leases keys to
// the cell's processes, disables and enables them (accepted, then effective), and erases subjects.
// One instance acts in a cell at a time; the store's fence holds that.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { isCoded, type KeyId, type TenantId } from '@bailiwick/kernel';
import {
  type ErasureRow,
  type KeyChangeRow,
  KeysError,
  LEASE_MARGIN_MS,
  LEASE_MS,
  type ServiceTerm,
  type SignedStatement,
  SUBJECTS_PER_SHRED_KEY_MAX,
  toStatementKey,
} from '@bailiwick/keys';
import type {
  ErasureReceipt,
  KeyAdministration,
  KeyDescription,
  KeyServiceApi,
  LeaseService,
  ReservedMaterial,
  WrappingMaterial,
} from './api.ts';
import { Custody, type CustodyPorts } from './custody.ts';
import { newestOf } from './hierarchy.ts';
import { carryOutKeyAction, checkKeyAction } from './key-actions.ts';
import { KeyRequests } from './key-requests.ts';
import { LeaseRegistry } from './lease-registry.ts';
import { Rotations } from './rotations.ts';
import { CUSTODY_TICK_MS } from './staleness.ts';
import { rewrapSurvivors } from './subject-key.ts';

/** Most subjects that one request may ask places for. */
export const RESERVATION_COUNT_MAX = 65_536;

export interface KeyServiceOptions {
  /** Told what happens, in constant sentences, with the code of a failure. */
  readonly onProblem?: (message: string, error: unknown) => void;
  /** Told when a provider goes away and when it is back. */
  readonly onMode?: (gateName: string, isAway: boolean) => void;
}

/** A running key service. */
export interface KeyService extends KeyServiceApi {
  readonly generation: number;
  /** Verifies this generation's statements. */
  readonly publicKey: string;
  /** Resolves when another instance may have taken over: stop at once. */
  readonly lost: Promise<void>;
  /** Resolves when the erasures that a crash interrupted have been taken up again, or have failed again. */
  readonly resumed: Promise<void>;
  close(): Promise<void>;
}

/**
 * Starts the key service of a cell.
 *
 * @throws {KeysError} `KEYS_SERVICE_REFUSED` when another one acts.
 */
export async function startKeyService(
  ports: CustodyPorts,
  options: KeyServiceOptions = {},
): Promise<KeyService> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const publicKey = toStatementKey(privateKey);
  const term = await ports.store.begin({ publicKey });
  try {
    const service = new RunningService(ports, { term, privateKey, publicKey, ...options });
    await service.start();
    return service;
  } catch (error) {
    await term.end();
    throw error;
  }
}

interface Running extends KeyServiceOptions {
  readonly term: ServiceTerm;
  readonly privateKey: KeyObject;
  readonly publicKey: string;
}

class RunningService implements KeyService {
  readonly publicKey: string;
  readonly lost: Promise<void>;
  resumed: Promise<void> = Promise.resolve();
  readonly #ports: CustodyPorts;
  readonly #running: Running;
  readonly #registry: LeaseRegistry;
  readonly #custody: Custody;
  readonly #rotations: Rotations;
  readonly #requests: KeyRequests;
  /** Changes whose drop is under way. */
  readonly #settling = new Map<string, Promise<void>>();
  /** One after the other for each tenant: buckets are locked whole. */
  readonly #erasing = new Map<TenantId, Promise<unknown>>();
  #refresh: ReturnType<typeof setInterval> | undefined;

  constructor(ports: CustodyPorts, running: Running) {
    this.#ports = ports;
    this.#running = running;
    this.publicKey = running.publicKey;
    this.lost = running.term.lost;
    this.#registry = new LeaseRegistry({
      cellId: ports.cellId,
      clock: ports.clock,
      generation: running.term.generation,
      privateKey: running.privateKey,
      publicKey: running.publicKey,
    });
    this.#custody = new Custody(ports, (tenantId, keyId) => {
      this.#registry.publish({ kind: 'tenant', tenantId, keyId });
    });
    ports.providers.onMode((gateName, isAway) => {
      this.#registry.publish({ kind: 'provider', gateName, isAway });
      running.onMode?.(gateName, isAway);
    });
    const custody = this.#custody;
    const tell = (error: unknown): void => this.#tell(error);
    this.#rotations = new Rotations({
      ...{ ports, custody, tell },
      drop: (drop) => this.#registry.publish(drop).settled,
    });
    const parts = { ports, custody, rotations: this.#rotations, administration: this };
    this.#requests = new KeyRequests({
      ...{ cellId: ports.cellId, clock: ports.clock, providers: ports.providers, tell },
      store: ports.requests,
      countSubjects: (tenantId) => ports.store.countSubjects(tenantId),
      check: (tenantId, action, terms) => checkKeyAction(parts, tenantId, { action, terms }),
      carryOut: (tenantId, requestId, action) =>
        carryOutKeyAction(parts, tenantId, requestId, action),
    });
  }

  get generation(): number {
    return this.#registry.generation;
  }

  async start(): Promise<void> {
    await this.#custody.load();
    for (const change of await this.#ports.store.listPendingChanges()) this.#settle(change);
    const erasures = await this.#ports.store.listPendingErasures();
    this.resumed = Promise.allSettled(
      erasures.map((erasure) => this.#erase(erasure).catch((error) => this.#tell(error))),
    ).then(() => undefined);
    await this.#rotations.resume();
    this.#requests.resume().catch((error: unknown) => this.#tell(error));
    this.#refresh = setInterval(() => this.#custody.tick(), CUSTODY_TICK_MS);
    this.#refresh.unref();
  }

  #tell(error: unknown): void {
    this.#running.onProblem?.('work of the key service failed and will be tried again', error);
  }

  async close(): Promise<void> {
    clearInterval(this.#refresh);
    await this.#rotations.close();
    this.#registry.close();
    await this.#ports.providers.close();
    await this.#running.term.end();
  }

  register: LeaseService['register'] = async (process) => this.#registry.register(process);
  renew: LeaseService['renew'] = async (caller, known) => this.#registry.renew(caller, known);
  watch: LeaseService['watch'] = (caller, listener) => this.#registry.watch(caller, listener);
  acknowledge: LeaseService['acknowledge'] = async (caller, done) =>
    this.#registry.acknowledge(caller, done);

  openTenant: LeaseService['openTenant'] = async (caller, tenantId) => {
    this.#registry.assertLeased(caller);
    // INVARIANT: the revision is read before the keys are, the state after: every drop that the keys do
    // not yet know has a higher revision, by which the process tells that they are stale.
    const { revision } = this.#registry;
    const open = await this.#custody.open(tenantId);
    this.#custody.assertEnabled(tenantId);
    return { revision, ...open };
  };

  openShredKeys: LeaseService['openShredKeys'] = async (caller, { tenantId, shredKeyIds }) => {
    this.#registry.assertLeased(caller);
    const { revision } = this.#registry;
    const open = await this.#custody.open(tenantId);
    const rows = await this.#ports.store.findShredKeys(tenantId, shredKeyIds);
    const opened: WrappingMaterial[] = [];
    const lost: KeyId[] = [];
    for (const row of rows) {
      try {
        const key = await this.#custody.hierarchy.openShredKey(row, open.tenantKeys);
        opened.push({ revision, shredKeyId: row.shredKeyId, key });
      } catch (error) {
        if (!isCoded(error, 'KEYS_KEY_UNREADABLE')) throw error;
        // Retired while it was being read: in neither list, like any that is gone.
        const [still] = await this.#ports.store.findShredKeys(tenantId, [row.shredKeyId]);
        if (still !== undefined) lost.push(row.shredKeyId);
      }
    }
    this.#custody.assertEnabled(tenantId);
    return { opened, lost };
  };

  reserve: LeaseService['reserve'] = async (caller, { tenantId, count }) => {
    this.#registry.assertLeased(caller);
    if (!Number.isInteger(count) || count < 1 || count > RESERVATION_COUNT_MAX) {
      throw new KeysError('KEYS_SERVICE_REFUSED', 'impossible number of subjects');
    }
    const { revision } = this.#registry;
    const open = await this.#custody.open(tenantId);
    const newest = newestOf(open);
    const taken = await this.#ports.store.reserve({ tenantId, ...newest }, count);
    const opened: ReservedMaterial[] = [];
    let left = count;
    for (const reservation of taken) {
      const key = await this.#custody.hierarchy.openShredKey(reservation, open.tenantKeys);
      opened.push({ revision, shredKeyId: reservation.shredKeyId, count: reservation.count, key });
      left -= reservation.count;
    }
    while (left > 0) {
      const places = Math.min(left, SUBJECTS_PER_SHRED_KEY_MAX);
      const { row, wrappingKey } = await this.#custody.hierarchy.createShredKey(tenantId, newest);
      await this.#ports.store.insertShredKey(row, places);
      opened.push({ revision, shredKeyId: row.shredKeyId, count: places, key: wrappingKey });
      left -= places;
    }
    this.#custody.assertEnabled(tenantId);
    return opened;
  };

  openIndexKey: LeaseService['openIndexKey'] = async (caller, { tenantId, field }) => {
    this.#registry.assertLeased(caller);
    const { revision } = this.#registry;
    const key = await this.#custody.openIndexKey(tenantId, field);
    this.#custody.assertEnabled(tenantId);
    return { revision, key };
  };

  provisionTenant: KeyAdministration['provisionTenant'] = (tenantId, terms) =>
    this.#custody.provision(tenantId, terms);

  requestAction: KeyAdministration['requestAction'] = (request) => this.#requests.request(request);
  listRequests: KeyAdministration['listRequests'] = (tenantId) => this.#requests.list(tenantId);
  signRequest: KeyAdministration['signRequest'] = (signed) => this.#requests.sign(signed);
  cancelRequest: KeyAdministration['cancelRequest'] = (requestId, tenantId) =>
    this.#requests.cancel(requestId, tenantId);
  rotateKey: KeyAdministration['rotateKey'] = (rotation) => this.#rotations.begin(rotation);
  findRotation: KeyAdministration['findRotation'] = (rotationId, tenantId) =>
    this.#rotations.find(rotationId, tenantId);
  reportKeys: KeyAdministration['reportKeys'] = (tenantId) => this.#rotations.report(tenantId);

  shortenStaleness: KeyAdministration['shortenStaleness'] = async (tenantId, stalenessMs) => {
    const now = this.#custody.stalenessMsOf(this.#custody.rowOf(tenantId));
    if (stalenessMs > now) {
      throw new KeysError(
        'KEYS_APPROVAL_REFUSED',
        'a longer staleness needs a request of two people',
      );
    }
    await this.#ports.store.setStaleness(tenantId, { stalenessMs });
    await this.#custody.reload(tenantId);
  };

  describeKeys: KeyAdministration['describeKeys'] = async (tenantId) => {
    const { store } = this.#ports;
    const customerKey = await store.findCustomerKey(tenantId);
    if (customerKey === undefined) {
      throw new KeysError('KEYS_TENANT_UNKNOWN', 'the tenant has no keys in this cell');
    }
    const { state, provider, providerName, changedAtMs } = customerKey;
    const subjectsCount = await store.countSubjects(tenantId);
    const stalenessMs = this.#custody.stalenessMsOf(customerKey);
    const shared = { state, provider, providerName, stalenessMs, changedAtMs, subjectsCount };
    const tenantKeys = await store.listTenantKeys(tenantId);
    const descriptions: KeyDescription[] = [
      {
        ...shared,
        keyId: customerKey.keyId,
        kind: 'customer-key',
        version: customerKey.version,
        createdAtMs: customerKey.createdAtMs,
      },
      ...tenantKeys.map(({ keyId, version, createdAtMs }) => ({
        ...shared,
        keyId,
        kind: 'tenant-key' as const,
        version,
        createdAtMs,
      })),
    ];
    return descriptions;
  };

  changeState: KeyAdministration['changeState'] = async (change) => {
    const { store, clock } = this.#ports;
    const known = await store.findChange(change.changeId);
    if (known !== undefined) {
      const isSame =
        known.tenantId === change.tenantId &&
        known.keyId === change.keyId &&
        known.to === change.to;
      if (isSame) return known;
      throw new KeysError('KEYS_SERVICE_REFUSED', 'another change has this id');
    }
    if (change.to === 'enabled' && this.#custody.rowOf(change.tenantId).isFinal) {
      throw new KeysError('KEYS_KEY_FINAL', 'the key was disabled for good');
    }
    const accepted = await store.acceptChange({
      changeId: change.changeId,
      tenantId: change.tenantId,
      keyId: change.keyId,
      to: change.to,
      entryId: change.entryId,
      acceptedAtMs: clock.nowMs(),
      effectiveAtMs: undefined,
      statements: [],
    });
    if (accepted === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such customer key');
    this.#custody.setState(accepted.tenantId, accepted.to);
    this.#settle(accepted);
    if (accepted.to === 'enabled') this.#resumeErasures(accepted.tenantId);
    return accepted;
  };

  /** Sees an accepted change through: drops are told, waited for and written down. */
  #settle(change: KeyChangeRow): void {
    const { changeId, tenantId, keyId, to } = change;
    const { store, clock } = this.#ports;
    const dropped: Promise<readonly SignedStatement[]> =
      to === 'disabled'
        ? this.#registry.publish({ kind: 'tenant', tenantId, keyId }).settled
        : Promise.resolve([]);
    const settling = dropped
      .then((statements) =>
        store.completeChange(changeId, { effectiveAtMs: clock.nowMs(), statements }),
      )
      .catch((error: unknown) => this.#tell(error))
      .finally(() => this.#settling.delete(changeId));
    this.#settling.set(changeId, settling);
  }

  awaitChange: KeyAdministration['awaitChange'] = async (changeId, { timeoutMs }) => {
    const settling = this.#settling.get(changeId);
    if (settling !== undefined) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, Math.min(timeoutMs, 2 * (LEASE_MS + LEASE_MARGIN_MS)));
      });
      await Promise.race([settling, timeout]);
      clearTimeout(timer);
    }
    const change = await this.#ports.store.findChange(changeId);
    if (change === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such change of a key');
    return change;
  };

  eraseSubject: KeyAdministration['eraseSubject'] = async (wanted) => {
    // An erasure of this person that a crash or a disabled key interrupted is taken up, not doubled.
    const pending = (await this.#ports.store.listPendingErasures()).find(
      (one) => one.tenantId === wanted.tenantId && one.subjectId === wanted.subjectId,
    );
    const accepted = await this.#ports.store.acceptErasure({
      erasureId: pending?.erasureId ?? wanted.erasureId,
      tenantId: wanted.tenantId,
      subjectId: wanted.subjectId,
      entryId: wanted.entryId,
      state: 'accepted',
      keyIds: [],
      retired: [],
      survivorsCount: 0,
      acceptedAtMs: this.#ports.clock.nowMs(),
      doneAtMs: undefined,
      statements: [],
    });
    if (accepted.tenantId !== wanted.tenantId || accepted.subjectId !== wanted.subjectId) {
      throw new KeysError('KEYS_SERVICE_REFUSED', 'another erasure has this id');
    }
    return this.#toReceipt(await this.#erase(accepted));
  };

  #toReceipt(erasure: ErasureRow): ErasureReceipt {
    const { replicas, isExtractable } = this.#ports.erasable;
    return { ...erasure, replicas, isExtractable };
  }

  #resumeErasures(tenantId: TenantId): void {
    this.#ports.store
      .listPendingErasures()
      .then((erasures) =>
        Promise.all(
          erasures.filter((one) => one.tenantId === tenantId).map((one) => this.#erase(one)),
        ),
      )
      .catch((error: unknown) => this.#tell(error));
  }

  async #erase(erasure: ErasureRow): Promise<ErasureRow> {
    const before = this.#erasing.get(erasure.tenantId) ?? Promise.resolve();
    const work = before.catch(() => undefined).then(() => this.#advance(erasure.erasureId));
    this.#erasing.set(erasure.tenantId, work);
    try {
      return await work;
    } finally {
      if (this.#erasing.get(erasure.tenantId) === work) this.#erasing.delete(erasure.tenantId);
    }
  }

  /** Takes an erasure from where it stands to its end; each state is durable before the next step. */
  async #advance(erasureId: string): Promise<ErasureRow> {
    const { store, erasable, clock } = this.#ports;
    const found = await store.findErasure(erasureId);
    if (found === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such erasure');
    let erasure = found;
    if (erasure.state === 'accepted') erasure = await this.#rewrap(erasure);
    if (erasure.state === 'rewrapped') {
      const { tenantId, keyIds } = erasure;
      const dropped = erasure.retired.map(
        (shredKeyId) =>
          this.#registry.publish({ kind: 'shred-key', tenantId, shredKeyId, keyIds }).settled,
      );
      const statements = [...erasure.statements, ...(await Promise.all(dropped)).flat()];
      await store.advanceErasure(erasureId, { state: 'effective', statements });
      erasure = { ...erasure, state: 'effective', statements };
    }
    if (erasure.state === 'effective') {
      await this.#ports.copyRewraps?.(erasure);
      const statements = [...erasure.statements];
      for (const objectId of erasure.retired) {
        statements.push(...(await erasable.destroy({ tenantId: erasure.tenantId, objectId })));
      }
      const doneAtMs = clock.nowMs();
      await store.advanceErasure(erasureId, { state: 'done', doneAtMs, statements });
      erasure = { ...erasure, state: 'done', doneAtMs, statements };
    }
    return erasure;
  }

  async #rewrap(erasure: ErasureRow): Promise<ErasureRow> {
    const { tenantId } = erasure;
    const open = await this.#custody.open(tenantId);
    const { hierarchy } = this.#custody;
    return this.#ports.store.rewrap(erasure, (bucket) =>
      rewrapSurvivors({ cellId: this.#ports.cellId, hierarchy, open }, bucket),
    );
  }
}
