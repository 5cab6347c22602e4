// SPDX-License-Identifier: Apache-2.0
// Puts together what one cell gets to know, and what the router gets to know. A new serial only when the
// content is new; serial and envelope are durable before they are handed out, so no serial ever stands
// for two contents.
import {
  BUNDLE_PAYLOAD_TYPE,
  type Bundle,
  type BundleCandidate,
  type BundleCell,
  DIRECTORY_ENTRY_PAYLOAD_TYPE,
  type DirectoryEntry,
  FRESHNESS_PAYLOAD_TYPE,
  type FreshnessStatement,
  ROUTER_DIRECTORY_PAYLOAD_TYPE,
  type TenantAnswer,
} from '@bailiwick/contracts';
import {
  type CellId,
  type Json,
  type TenantId,
  toCanonicalJson,
  toInstant,
} from '@bailiwick/kernel';
import { type DsseEnvelope, signDsse } from '@bailiwick/keys';
import { hashJson, listApprovals } from '../approvals.ts';
import { findCell, listCells } from '../cells/cell-store.ts';
import { findCharter, type StoredCharter } from '../charters/charter-store.ts';
import { ControlError } from '../errors.ts';
import { findOpenRollout } from '../rollouts/rollout-store.ts';
import type { ControlServices, Transaction } from '../services.ts';
import { findTenant, listTenants } from '../tenants/tenant-store.ts';
import { ensureTrust } from './trust-store.ts';

// PostgreSQL, appendix A.
const SERIALIZATION_FAILURE = '40001';
const UNIQUE_VIOLATION = '23505';
const SIGN_ATTEMPTS_MAX = 5;

/** A signed document with its serial. */
export interface SignedDocument {
  readonly serial: number;
  readonly envelope: unknown;
}

/** Signs canonical JSON. */
export function signJson(
  services: ControlServices,
  payloadType: string,
  value: unknown,
): DsseEnvelope {
  const json: Json = JSON.parse(JSON.stringify(value));
  const payload = Buffer.from(toCanonicalJson(json), 'utf8');
  return signDsse({ payloadType, payload }, [services.signer]);
}

/** Signs under the next serial if what is compared is new, else gives what was signed before. */
async function signWhenNew(
  services: ControlServices,
  tx: Transaction,
  document: {
    readonly audience: string;
    readonly payloadType: string;
    readonly compared: unknown;
    readonly toContent: () => Readonly<Record<string, unknown>>;
  },
): Promise<SignedDocument> {
  const { audience, payloadType, compared, toContent } = document;
  const { rows } = await tx.query<{ serial: string; content_hash: string; envelope: unknown }>(
    'SELECT serial::text, content_hash, envelope FROM control.bundles WHERE audience = $1',
    [audience],
  );
  // The signing key is part of what is compared: after a change of key everything is signed anew.
  const contentHash = hashJson({ compared, key: services.signerKey });
  const [before] = rows;
  if (before?.content_hash === contentHash) {
    return { serial: Number(before.serial), envelope: before.envelope };
  }
  const serial = Number(before?.serial ?? 0) + 1;
  const issuedAt = toInstant(services.clock.nowMs());
  const envelope = signJson(services, payloadType, { v: 1, serial, issuedAt, ...toContent() });
  await tx.query(
    `INSERT INTO control.bundles (audience, serial, content_hash, envelope)
     VALUES ($1, $2, $3, $4)
     ON CONFLICT (audience) DO UPDATE SET serial = excluded.serial, signed_at = now(),
       content_hash = excluded.content_hash, envelope = excluded.envelope`,
    [audience, serial, contentHash, JSON.stringify(envelope)],
  );
  return { serial, envelope };
}

/** One consistent look at everything; tried again when another process signed at the same time. */
async function readConsistently<T>(
  services: ControlServices,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await services.database.withTransaction(async (tx) => {
        await tx.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ');
        return await work(tx);
      });
    } catch (error) {
      const isConflict =
        error instanceof Error &&
        'code' in error &&
        (error.code === SERIALIZATION_FAILURE || error.code === UNIQUE_VIOLATION);
      if (!isConflict || attempt >= SIGN_ATTEMPTS_MAX) throw error;
    }
  }
}

/** The newest bundle of a cell, and how long its freshness holds. `undefined` before the first charter. */
export async function getBundle(
  services: ControlServices,
  cell: CellId,
): Promise<(SignedDocument & { readonly freshForMs: number }) | undefined> {
  return await readConsistently(services, async (tx) => {
    if ((await findCell(tx, cell)) === undefined) {
      throw new ControlError('CONTROL_CELL_UNKNOWN', 'the cell is not registered');
    }
    const charter = await findCharter(tx);
    if (charter === undefined) return undefined;
    const content = await gatherBundle(services, tx, {
      cell,
      ...(await findLaw(tx, cell, charter)),
    });
    const signed = await signWhenNew(services, tx, {
      audience: cell,
      payloadType: BUNDLE_PAYLOAD_TYPE,
      compared: content,
      toContent: () => ({ ...content }),
    });
    return { ...signed, freshForMs: content.charter.freshForMs };
  });
}

interface CellLaw {
  readonly charter: StoredCharter;
  readonly candidate?: BundleCandidate;
}

/** The charter of one cell: everybody's, unless a rollout has come to this cell. */
async function findLaw(tx: Transaction, cell: CellId, charter: StoredCharter): Promise<CellLaw> {
  const rollout = await findOpenRollout(tx);
  if (rollout === undefined) return { charter };
  const isFirst = cell === rollout.firstCell;
  if (rollout.phase === 'first-cell') return { charter: isFirst ? rollout : charter };
  if (!isFirst && rollout.phase !== 'canary-everywhere') return { charter };
  const { serial, text, textHash, shareBasisPoints, limits } = rollout;
  return { charter, candidate: { serial, text, textHash, shareBasisPoints, limits } };
}

/** What the bundle of a cell says, without serial and instant. */
async function gatherBundle(
  services: ControlServices,
  tx: Transaction,
  about: { readonly cell: CellId } & CellLaw,
): Promise<Omit<Bundle, 'v' | 'serial' | 'issuedAt'>> {
  const { cell, charter, candidate } = about;
  const tenants = await listTenants(tx, cell);
  const trust = await ensureTrust(tx, services.signerKey);
  const approvals = [
    ...(await listApprovals(tx, { subject: 'charter', serial: charter.serial })),
    ...(await listApprovals(tx, { subject: 'trust', serial: trust.serial })),
  ];
  for (const { tenantId, termsSerial: serial } of tenants) {
    approvals.push(...(await listApprovals(tx, { subject: 'terms', tenantId, serial })));
  }
  return {
    cell,
    charter: {
      serial: charter.serial,
      text: charter.text,
      textHash: charter.textHash,
      freshForMs: charter.freshForMs,
    },
    ...(candidate === undefined ? {} : { candidate }),
    tenants: tenants.map(({ homes, ...tenant }) => ({
      ...tenant,
      residencies: homes.map(({ residency }) => residency),
    })),
    homes: tenants.flatMap(({ tenantId, homes }) => homes.map((home) => ({ tenantId, ...home }))),
    cells: await listCells(tx),
    trust,
    approvals,
  };
}

/** Says that this serial is the newest now. */
export function signFreshness(
  services: ControlServices,
  fresh: Omit<FreshnessStatement, 'v' | 'issuedAt'>,
): DsseEnvelope {
  const issuedAt = toInstant(services.clock.nowMs());
  return signJson(services, FRESHNESS_PAYLOAD_TYPE, { v: 1, issuedAt, ...fresh });
}

/** An entry of the directory before it is signed. */
type UnsignedEntry = Omit<DirectoryEntry, 'issuedAt'>;

/** Homes of all tenants that are served. */
function toEntries(
  services: ControlServices,
  cells: readonly BundleCell[],
  tenants: readonly TenantAnswer[],
): readonly UnsignedEntry[] {
  const byId = new Map(cells.map((cell) => [cell.cell, cell]));
  const entries: UnsignedEntry[] = [];
  for (const { tenantId, state, homes } of tenants) {
    if (state === 'suspended') continue;
    for (const { residency, cell } of homes) {
      const { name, addresses } = byId.get(cell) ?? {};
      if (name === undefined || addresses === undefined) continue;
      const { directoryValidForMs: validForMs } = services;
      entries.push({ v: 1, tenantId, residency, cell, name, addresses, validForMs });
    }
  }
  return entries;
}

/** Signs one entry, for a caller to keep. */
function signEntry(services: ControlServices, entry: UnsignedEntry): DsseEnvelope {
  const issuedAt = toInstant(services.clock.nowMs());
  return signJson(services, DIRECTORY_ENTRY_PAYLOAD_TYPE, { ...entry, issuedAt });
}

/** The newest directory of the router: every home as an entry that is signed by itself. */
export async function getRouterDirectory(services: ControlServices): Promise<SignedDocument> {
  return await readConsistently(services, async (tx) => {
    const cells = await listCells(tx);
    const entries = toEntries(services, cells, await listTenants(tx));
    const known = {
      cells: cells.map(({ cell, residency, name, addresses }) => ({
        cell,
        residency,
        name,
        addresses,
      })),
      claimKeys: cells.flatMap(({ name, signingKey }) =>
        signingKey === undefined ? [] : [{ issuer: name, key: signingKey }],
      ),
    };
    return await signWhenNew(services, tx, {
      audience: 'router',
      payloadType: ROUTER_DIRECTORY_PAYLOAD_TYPE,
      // Entries are compared unsigned: signed they carry the instant of signing.
      compared: { ...known, entries },
      toContent: () => ({
        ...known,
        entries: entries.map((entry) => ({
          tenantId: entry.tenantId,
          residency: entry.residency,
          cell: entry.cell,
          envelope: signEntry(services, entry),
        })),
      }),
    });
  });
}

/** One home, signed: the same answer that the router gives. */
export async function findDirectoryEntry(
  services: ControlServices,
  home: { readonly tenantId: TenantId; readonly residency: string },
): Promise<DsseEnvelope | undefined> {
  return await services.database.withTransaction(async (tx) => {
    const tenant = await findTenant(tx, home.tenantId);
    if (tenant === undefined) return undefined;
    const entries = toEntries(services, await listCells(tx), [tenant]);
    const entry = entries.find(({ residency }) => residency === home.residency);
    return entry === undefined ? undefined : signEntry(services, entry);
  });
}
