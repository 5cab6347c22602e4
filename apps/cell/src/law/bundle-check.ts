// SPDX-License-Identifier: Apache-2.0
// Whether a bundle may take effect here. The control plane delivers and does not decide: this cell
// verifies the signature, that it is meant, that the serial grew, compiles the charter itself, computes
// what would become possible that was not, and looks for approvals by keys pinned in its own configuration.
import { createHash } from 'node:crypto';
import {
  type CompiledCharter,
  type ContractTerms,
  compileCharter,
  diffCharters,
  parseCharter,
  parseTerms,
} from '@bailiwick/charter';
import {
  APPROVAL_PAYLOAD_TYPE,
  type ApprovalStatement,
  BUNDLE_PAYLOAD_TYPE,
  type Bundle,
  type BundleTenant,
  parseApprovalStatement,
  parseBundle,
} from '@bailiwick/contracts';
import { type CellId, isCoded, type Json, type TenantId, toCanonicalJson } from '@bailiwick/kernel';
import { type DssePinnedKey, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import { CellError } from '../errors.ts';
import { findAgreementProblem } from './agreements.ts';
import { type Departed, findKnownHome, findKnownTenant, NOBODY_DEPARTED } from './departed.ts';
import { isNarrower } from './terms-change.ts';

/** Why a bundle was refused; a closed set, for entries and figures. */
export type BundleRefusal =
  | 'signature'
  | 'shape'
  | 'other-cell'
  | 'older-serial'
  | 'hash'
  | 'charter'
  | 'terms'
  | 'unapproved-charter'
  | 'unapproved-terms'
  | 'unsigned-terms'
  | 'unapproved-homes'
  | 'unapproved-trust';

/** What this cell pinned. */
export interface BundleTrust {
  readonly cellId: CellId;
  readonly bundleKeys: readonly DssePinnedKey[];
  readonly approvers: readonly DssePinnedKey[];
  readonly threshold: number;
}

/** A bundle whose parts have been read. */
export interface OpenedBundle {
  readonly bundle: Bundle;
  readonly charter: CompiledCharter;
  /** The charter that decides beside it, where a rollout is under way here. */
  readonly candidate?: CompiledCharter;
  readonly terms: ReadonlyMap<TenantId, ContractTerms>;
}

/** What taking a bundle changes. */
export interface BundleChange {
  readonly widenings: number;
  readonly narrowings: number;
  readonly homesChanged: number;
  readonly termsWidened: number;
  readonly isTrustChanged: boolean;
  /** Ids of the pinned approvers' keys that were needed and found. */
  readonly approvedBy: readonly string[];
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

function refuse(reason: BundleRefusal, detail: string, cause?: unknown): never {
  throw new CellError('LAW_BUNDLE_REFUSED', detail, {
    details: { reason },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Hash of a JSON value as bundles and approvals name it. */
export function hashJson(value: unknown): string {
  return sha256(toCanonicalJson(parseJson(value)));
}

/** The value came out of a JSON parser: it is JSON by construction. */
function parseJson(value: unknown): Json {
  return value as Json;
}

/**
 * Verifies and reads a bundle, whether or not it may take effect. All of `envelope` is untrusted.
 *
 * @throws {CellError} `LAW_BUNDLE_REFUSED` with `details.reason`
 */
export function openBundle(envelope: unknown, trust: BundleTrust): OpenedBundle {
  const bundle = verifyBundle(envelope, trust);
  if (bundle.cell !== trust.cellId) refuse('other-cell', 'the bundle is for another cell');
  if (sha256(bundle.charter.text) !== bundle.charter.textHash) {
    refuse('hash', 'the charter does not have the hash that the bundle states');
  }
  const charter = readCharter(bundle.charter.text);
  const terms = new Map<TenantId, ContractTerms>();
  for (const tenant of bundle.tenants) terms.set(tenant.tenantId, readTerms(tenant));
  return { bundle, charter, terms, ...readCandidate(bundle) };
}

/** A candidate only takes away: it must be what it says and newer than the law, and needs no approval. */
function readCandidate({ charter, candidate }: Bundle): { readonly candidate?: CompiledCharter } {
  if (candidate === undefined) return {};
  if (sha256(candidate.text) !== candidate.textHash) {
    refuse('hash', 'the candidate does not have the hash that the bundle states');
  }
  if (candidate.serial <= charter.serial) {
    refuse('older-serial', 'the candidate is not newer than the charter');
  }
  return { candidate: readCharter(candidate.text) };
}

function verifyBundle(envelope: unknown, { bundleKeys }: BundleTrust): Bundle {
  let payload: Buffer;
  try {
    ({ payload } = verifyDsse(envelope, { payloadType: BUNDLE_PAYLOAD_TYPE, keys: bundleKeys }));
  } catch (cause) {
    return refuse('signature', 'no pinned key has signed the bundle', cause);
  }
  try {
    return parseBundle(payload);
  } catch (cause) {
    return refuse('shape', 'the bundle does not have the expected shape', cause);
  }
}

/** Charters compiled lately, by text: a promotion or a way back meets a charter that was here before. */
const compiled = new Map<string, CompiledCharter>();
const COMPILED_COUNT_MAX = 4;

function readCharter(text: string): CompiledCharter {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  try {
    const charter = compileCharter(parseCharter(text), { sha256 });
    const [oldest] = compiled.keys();
    if (compiled.size >= COMPILED_COUNT_MAX && oldest !== undefined) compiled.delete(oldest);
    compiled.set(text, charter);
    return charter;
  } catch (cause) {
    return refuse('charter', 'the charter does not compile', cause);
  }
}

function readTerms(tenant: BundleTenant): ContractTerms {
  if (hashJson(tenant.terms) !== tenant.termsHash) {
    refuse('hash', 'the terms do not have the hash that the bundle states');
  }
  try {
    return parseTerms(tenant.terms);
  } catch (cause) {
    return refuse('terms', 'the contract terms cannot be read', cause);
  }
}

/**
 * Decides whether `next` may follow `current` (absent at the very first bundle, which widens from
 * nothing and so needs approvals as well).
 *
 * @throws {CellError} `LAW_BUNDLE_REFUSED` with `details.reason`
 */
export function checkChange(
  current: OpenedBundle | undefined,
  next: OpenedBundle,
  trust: BundleTrust,
  departed: Departed = NOBODY_DEPARTED,
): BundleChange {
  if (current !== undefined && next.bundle.serial <= current.bundle.serial) {
    refuse('older-serial', 'the bundle is not newer than the one in force');
  }
  const approvals = new Approvals(next.bundle, trust);
  const charter = checkCharter(current, next, approvals);
  const termsWidened = checkTerms({ current, next, trust, departed }, approvals);
  checkHomes({ current, next, departed }, approvals);
  const isTrustChanged = checkTrust(current, next, trust, approvals);
  return { ...charter, termsWidened, isTrustChanged, approvedBy: [...approvals.used].sort() };
}

function checkCharter(
  current: OpenedBundle | undefined,
  next: OpenedBundle,
  approvals: Approvals,
): Pick<BundleChange, 'widenings' | 'narrowings' | 'homesChanged'> {
  const { serial, textHash } = next.bundle.charter;
  const wanted = { subject: 'charter', serial, hash: textHash } as const;
  if (current === undefined) {
    approvals.demand(wanted, 'unapproved-charter', 'the first charter needs approvals');
    return { widenings: 0, narrowings: 0, homesChanged: 0 };
  }
  const before = current.bundle.charter;
  if (serial < before.serial) refuse('older-serial', 'the charter is older than the one in force');
  if (
    next.charter.hash === current.charter.hash &&
    next.bundle.charter.freshForMs <= before.freshForMs
  ) {
    return { widenings: 0, narrowings: 0, homesChanged: 0 };
  }
  const counts = countDifferences(current.charter, next.charter);
  const isSlower = next.bundle.charter.freshForMs > before.freshForMs;
  if (counts.widenings > 0 || counts.homesChanged > 0 || isSlower) {
    approvals.demand(wanted, 'unapproved-charter', 'the charter widens flows or changes a home');
  }
  return counts;
}

/** What cannot be compared counts as wider: nothing is let through because it is too large to look at. */
function countDifferences(
  before: CompiledCharter,
  after: CompiledCharter,
): Pick<BundleChange, 'widenings' | 'narrowings' | 'homesChanged'> {
  try {
    const { widenings, narrowings, homesChanged, loosened } = diffCharters(before, after);
    return {
      // Keys held less strictly and data kept longer open no flow and still need approvals.
      widenings: widenings.length + loosened.length,
      narrowings: narrowings.length,
      homesChanged: homesChanged.length,
    };
  } catch (error) {
    if (!isCoded(error, 'CHARTER_SPACE_TOO_LARGE')) throw error;
    return { widenings: 1, narrowings: 0, homesChanged: 0 };
  }
}

interface Succession {
  readonly current: OpenedBundle | undefined;
  readonly next: OpenedBundle;
  readonly departed: Departed;
}

function checkTerms(
  { current, next, departed, trust }: Succession & { readonly trust: BundleTrust },
  approvals: Approvals,
): number {
  let widened = 0;
  for (const tenant of next.bundle.tenants) {
    const known = findKnownTenant(current?.bundle, departed, tenant.tenantId);
    const after = next.terms.get(tenant.tenantId);
    const before = known && (current?.terms.get(tenant.tenantId) ?? readTerms(known));
    if (known?.termsHash !== tenant.termsHash || tenant.agreement !== undefined) {
      const problem = findAgreementProblem(known, tenant, trust.approvers);
      if (problem !== undefined) refuse('unsigned-terms', problem);
    }
    if (before === undefined || after === undefined || known === undefined) continue;
    if (tenant.termsSerial < known.termsSerial) {
      refuse('older-serial', 'the terms are older than those in force');
    }
    if (tenant.termsHash === known.termsHash || isNarrower(before, after)) continue;
    widened += 1;
    approvals.demand(toTermsApproval(tenant), 'unapproved-terms', 'the terms of a tenant widen');
  }
  return widened;
}

const toTermsApproval = (tenant: BundleTenant): ApprovalStatement => ({
  v: 1,
  subject: 'terms',
  tenantId: tenant.tenantId,
  serial: tenant.termsSerial,
  hash: tenant.termsHash,
});

/** A home that moves takes data with it: the tenant's terms must have been approved at that serial. */
function checkHomes({ current, next, departed }: Succession, approvals: Approvals): void {
  for (const home of next.bundle.homes) {
    const before = findKnownHome(current?.bundle, departed, home);
    if (before === undefined || before.cell === home.cell) continue;
    const tenant = next.bundle.tenants.find(({ tenantId }) => tenantId === home.tenantId);
    if (tenant === undefined) refuse('unapproved-homes', 'a home moves for an unknown tenant');
    approvals.demand(toTermsApproval(tenant), 'unapproved-homes', 'the home of a tenant moves');
  }
}

function checkTrust(
  current: OpenedBundle | undefined,
  next: OpenedBundle,
  trust: BundleTrust,
  approvals: Approvals,
): boolean {
  const { serial, bundleKeys } = next.bundle.trust;
  const inForce = current?.bundle.trust.bundleKeys;
  const pinned = trust.bundleKeys.map(({ keyId }) => keyId);
  const isSame =
    inForce === undefined
      ? bundleKeys.every((key) => pinned.includes(parsePinnedKey(key).keyId))
      : toCanonicalJson([...bundleKeys]) === toCanonicalJson([...inForce]);
  if (isSame) return false;
  if (current !== undefined && serial <= current.bundle.trust.serial) {
    refuse('older-serial', 'the trust keys are not newer than those in force');
  }
  const wanted = { subject: 'trust', serial, hash: hashJson(bundleKeys) } as const;
  approvals.demand(wanted, 'unapproved-trust', 'a trust key changes');
  return true;
}

/** Approvals of a bundle: distinct pinned approvers over exactly what is asked for. */
class Approvals {
  readonly used = new Set<string>();
  readonly #bundle: Bundle;
  readonly #trust: BundleTrust;

  constructor(bundle: Bundle, trust: BundleTrust) {
    this.#bundle = bundle;
    this.#trust = trust;
  }

  demand(wanted: Omit<ApprovalStatement, 'v'>, reason: BundleRefusal, detail: string): void {
    const signers = new Set<string>();
    for (const envelope of this.#bundle.approvals) {
      for (const keyId of this.#signersOf(envelope, wanted)) signers.add(keyId);
    }
    // SECURITY: two people, by keys in this cell's own configuration: a control plane that was taken over
    // cannot widen anything.
    if (signers.size < this.#trust.threshold) {
      refuse(reason, `${detail}: ${signers.size} of ${this.#trust.threshold} approvals`);
    }
    for (const keyId of signers) this.used.add(keyId);
  }

  #signersOf(envelope: unknown, wanted: Omit<ApprovalStatement, 'v'>): readonly string[] {
    if (this.#trust.approvers.length === 0) return [];
    try {
      const { payload, keyIds } = verifyDsse(envelope, {
        payloadType: APPROVAL_PAYLOAD_TYPE,
        keys: this.#trust.approvers,
      });
      const statement = parseApprovalStatement(payload);
      const isMeant =
        statement.subject === wanted.subject &&
        statement.serial === wanted.serial &&
        statement.hash === wanted.hash &&
        statement.tenantId === wanted.tenantId;
      return isMeant ? keyIds : [];
    } catch (error) {
      // An approval that does not verify approves nothing; the others still count.
      if (isCoded(error, 'KEYS_DSSE_UNTRUSTED') || isCoded(error, 'KEYS_DSSE_MALFORMED')) return [];
      if (isCoded(error, 'CONTRACT_VALUE_INVALID')) return [];
      throw error;
    }
  }
}
