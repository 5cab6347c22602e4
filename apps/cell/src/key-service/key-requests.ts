// SPDX-License-Identifier: Apache-2.0
// What two people must want: ending a key, destroying one, moving it, trusting a copy of it for longer. A
// request is a text; a person signs exactly that text with a key that is pinned in the tenant's custody
// file. SECURITY: accounts and rows decide nothing here. Each signature is verified again, against the keys
// pinned now, directly before the request is carried out.
import {
  type CellId,
  type Clock,
  isCoded,
  parseKeyId,
  type TenantId,
  toInstant,
} from '@bailiwick/kernel';
import {
  encodeKeyRequest,
  type KeyRequestAction,
  type KeyRequestBody,
  type KeyRequestRow,
  type KeyRequestSignature,
  type KeyRequestStore,
  KeysError,
  parseKeyRequest,
  verifyKeyRequest,
} from '@bailiwick/keys';
import type { KeyAdministration, KeyRequest, KeyTerms } from './api.ts';
import type { ProviderRegistry } from './providers/provider-registry.ts';

/** Two people: who asks signs first, somebody else approves. */
export const SIGNATURES_NEEDED_COUNT = 2;
const VALID_FOR_MS = 24 * 3_600_000;
const LISTED_COUNT_MAX = 100;

export interface KeyRequestsOptions {
  readonly cellId: CellId;
  readonly clock: Clock;
  readonly store: KeyRequestStore;
  readonly providers: ProviderRegistry;
  readonly countSubjects: (tenantId: TenantId) => Promise<number>;
  /** Refuses what could not be carried out anyway. */
  readonly check: (tenantId: TenantId, action: KeyRequestAction, terms: KeyTerms) => Promise<void>;
  /** Must be safe to repeat: a crash repeats it. */
  readonly carryOut: (
    tenantId: TenantId,
    requestId: string,
    action: KeyRequestAction,
  ) => Promise<void>;
  readonly tell: (error: unknown) => void;
}

/** The requests of a cell. */
export class KeyRequests {
  readonly #options: KeyRequestsOptions;

  constructor(options: KeyRequestsOptions) {
    this.#options = options;
  }

  /** Carries out what was approved before a crash. */
  async resume(): Promise<void> {
    for (const row of await this.#options.store.listApproved()) {
      await this.#finish(row).catch((error: unknown) => this.#options.tell(error));
    }
  }

  /** Names of the pinned approvers whose signatures verify over this row's text, each once. */
  #signersOf(row: KeyRequestRow): readonly string[] {
    const pinned = this.#options.providers.approversOf(row.tenantId);
    const names = row.signatures.flatMap((signed) => {
      const approver = pinned.find(({ key }) => key === signed.key);
      if (approver === undefined) return [];
      try {
        verifyKeyRequest(row.body, signed);
        return [approver.name];
      } catch (error) {
        if (isCoded(error, 'KEYS_APPROVAL_REFUSED')) return [];
        throw error;
      }
    });
    return [...new Set(names)];
  }

  #toRequest(row: KeyRequestRow): KeyRequest {
    const { signatures: _unverified, ...rest } = row;
    return {
      ...rest,
      signedBy: this.#signersOf(row),
      signaturesNeeded: SIGNATURES_NEEDED_COUNT,
    };
  }

  async request(wanted: Parameters<KeyAdministration['requestAction']>[0]): Promise<KeyRequest> {
    const { cellId, clock, store, providers, countSubjects, check } = this.#options;
    const { requestId, tenantId, action, account, recordsCount } = wanted;
    if (providers.approversOf(tenantId).length < SIGNATURES_NEEDED_COUNT) {
      throw new KeysError(
        'KEYS_APPROVAL_REFUSED',
        'the tenant’s custody file pins fewer than two approvers',
      );
    }
    await check(tenantId, action, wanted.terms ?? {});
    const nowMs = clock.nowMs();
    const isLoss = action.kind === 'end' || action.kind === 'destroy';
    const body: KeyRequestBody = {
      v: 1,
      request: requestId,
      cell: cellId,
      tenant: tenantId,
      action,
      requestedBy: account,
      requestedAt: toInstant(nowMs),
      expiresAt: toInstant(nowMs + VALID_FOR_MS),
      consequence: {
        subjects: isLoss ? await countSubjects(tenantId) : 0,
        records: isLoss ? recordsCount : 0,
      },
    };
    const row: KeyRequestRow = {
      requestId,
      tenantId,
      body: encodeKeyRequest(body),
      state: 'open',
      signatures: [],
      createdAtMs: nowMs,
      expiresAtMs: nowMs + VALID_FOR_MS,
      doneAtMs: undefined,
    };
    await store.insertRequest(row);
    return this.#toRequest(row);
  }

  async #require(requestId: string, tenantId: TenantId): Promise<KeyRequestRow> {
    const row = await this.#options.store.findRequest(requestId);
    if (row?.tenantId === tenantId) return row;
    throw new KeysError('KEYS_REQUEST_UNKNOWN', 'no such request');
  }

  async list(tenantId: TenantId): Promise<readonly KeyRequest[]> {
    const rows = await this.#options.store.listRequests(tenantId, LISTED_COUNT_MAX);
    return rows.map((row) => this.#toRequest(row));
  }

  async cancel(requestId: string, tenantId: TenantId): Promise<KeyRequest> {
    const row = await this.#require(requestId, tenantId);
    if (row.state !== 'open') throw closed(row.state);
    return this.#update(row, { state: 'cancelled', signatures: row.signatures });
  }

  async #update(
    row: KeyRequestRow,
    to: Parameters<KeyRequestStore['updateRequest']>[2],
  ): Promise<KeyRequest> {
    const from = { state: row.state, signaturesCount: row.signatures.length };
    if (!(await this.#options.store.updateRequest(row.requestId, from, to))) {
      throw new KeysError('KEYS_REQUEST_CLOSED', 'the request changed meanwhile: look at it again');
    }
    return this.#toRequest({ ...row, doneAtMs: undefined, ...to });
  }

  /** @throws {KeysError} `KEYS_APPROVAL_REFUSED` */
  #assertMaySign(row: KeyRequestRow, signed: KeyRequestSignature): void {
    const approver = this.#options.providers
      .approversOf(row.tenantId)
      .find(({ key }) => key === signed.key);
    if (approver === undefined) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'the custody file pins no such approver');
    }
    verifyKeyRequest(row.body, signed);
    if (this.#signersOf(row).includes(approver.name)) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'this approver has signed already');
    }
    const body = parseKeyRequest(row.body);
    const isFirst = row.signatures.length === 0;
    const isRequester = signed.account === body.requestedBy;
    if (isFirst && !isRequester) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'who asked signs first');
    }
    if (!isFirst && isRequester) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'who asked cannot approve');
    }
  }

  async sign(signed: Parameters<KeyAdministration['signRequest']>[0]): Promise<KeyRequest> {
    const { requestId, tenantId, account, key, signature } = signed;
    const row = await this.#require(requestId, tenantId);
    // Approved, and its carrying out failed: whoever comes next has it tried again.
    if (row.state === 'approved') return this.#finish(row);
    this.#assertOpen(row);
    this.#assertMaySign(row, { account, key, signature });
    const signatures = [...row.signatures, { account, key, signature }];
    const next = { ...row, signatures };
    if (this.#signersOf(next).length < SIGNATURES_NEEDED_COUNT) {
      return this.#update(row, { state: 'open', signatures });
    }
    await this.#update(row, { state: 'approved', signatures });
    return this.#finish({ ...next, state: 'approved' });
  }

  #assertOpen(row: KeyRequestRow): void {
    if (row.state !== 'open') throw closed(row.state);
    if (this.#options.clock.nowMs() >= row.expiresAtMs) throw closed('expired');
  }

  /** INVARIANT: nothing is carried out but what enough pinned people signed, for this tenant in this cell. */
  #verify(row: KeyRequestRow): KeyRequestBody {
    const body = parseKeyRequest(row.body);
    const isThis =
      body.request === row.requestId &&
      body.tenant === row.tenantId &&
      body.cell === this.#options.cellId;
    if (!isThis) throw new KeysError('KEYS_APPROVAL_REFUSED', 'the text is of another request');
    if (this.#signersOf(row).length < SIGNATURES_NEEDED_COUNT) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'fewer than two pinned approvers have signed');
    }
    const accounts = new Set(row.signatures.map(({ account }) => account));
    if (accounts.size < SIGNATURES_NEEDED_COUNT) {
      throw new KeysError('KEYS_APPROVAL_REFUSED', 'one account brought all signatures');
    }
    // A row kept back and put in again is no approval for today.
    if (this.#options.clock.nowMs() >= Date.parse(body.expiresAt)) throw closed('expired');
    return body;
  }

  async #finish(row: KeyRequestRow): Promise<KeyRequest> {
    const { action } = this.#verify(row);
    await this.#options.carryOut(row.tenantId, row.requestId, action);
    const doneAtMs = this.#options.clock.nowMs();
    return this.#update(row, { state: 'done', signatures: row.signatures, doneAtMs });
  }
}

function closed(state: string): KeysError {
  return new KeysError('KEYS_REQUEST_CLOSED', `the request is \`${state}\``);
}

/** What came over the wire, as an action. @throws {KeysError} `KEYS_APPROVAL_REFUSED` */
export function parseKeyAction(value: unknown): KeyRequestAction {
  const refuse = (): never => {
    throw new KeysError('KEYS_APPROVAL_REFUSED', 'no such action');
  };
  if (typeof value !== 'object' || value === null) return refuse();
  const { kind, keyId, version, provider, stalenessMs } = value as Readonly<
    Record<string, unknown>
  >;
  switch (kind) {
    case 'end':
      return { kind };
    case 'destroy':
      if (!Number.isSafeInteger(version)) return refuse();
      return { kind, keyId: parseKeyId(String(keyId)), version: Number(version) };
    case 'move':
      if (typeof provider !== 'string' || !/^[a-z0-9-]{1,63}$/.test(provider)) return refuse();
      return { kind, provider };
    case 'staleness': {
      const ms = Number(stalenessMs);
      const isOne = Number.isSafeInteger(ms) && (ms === 0 || (ms >= 5_000 && ms <= 3_600_000));
      return isOne ? { kind, stalenessMs: ms } : refuse();
    }
    default:
      return refuse();
  }
}
