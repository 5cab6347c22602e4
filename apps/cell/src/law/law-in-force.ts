// SPDX-License-Identifier: Apache-2.0
// The law as one bundle states it: charter, terms, homes and the other cells. Built once per bundle and
// never changed; engines are made when a tenant first asks.
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { ContractTerms } from '@bailiwick/charter';
import type { Bundle, BundleCell, BundleTenant } from '@bailiwick/contracts';
import type { CellId, Clock, Residency, TenantId } from '@bailiwick/kernel';
import { createEngine, type Engine } from '@bailiwick/policy';
import type { LawInForce } from '../services.ts';
import type { OpenedBundle } from './bundle-check.ts';
import { type Canary, createCanary } from './canary.ts';

/** What the process knows beyond what capabilities may ask for. */
export interface BundleInForce extends LawInForce {
  readonly bundle: Bundle;
  findTenant(tenantId: TenantId): BundleTenant | undefined;
  findCell(cellId: CellId): BundleCell | undefined;
  /** Who is home to a tenant's residency, as the bundle says. */
  homeOf(tenantId: TenantId, residency: Residency): CellId | undefined;
  readonly canary?: Canary;
}

/** Makes the law of an accepted bundle. */
export function createLawInForce(
  opened: OpenedBundle,
  options: { readonly clock: Clock; readonly before?: BundleInForce },
): BundleInForce {
  const { bundle, charter, terms } = opened;
  const { serial } = bundle.charter;
  const engines = new Map<TenantId | undefined, Engine>();
  const tenants = new Map(bundle.tenants.map((tenant) => [tenant.tenantId, tenant]));
  const cells = new Map(bundle.cells.map((cell) => [cell.cell, cell]));
  const homes = new Map(
    bundle.homes.map(({ tenantId, residency, cell }) => [`${tenantId} ${residency}`, cell]),
  );
  return {
    charter,
    serial,
    hash: charter.hash,
    ...toCanary(opened, options),
    bundle,
    engineFor(tenantId) {
      const found = engines.get(tenantId);
      if (found !== undefined) return found;
      const engine = createEngine(charter, { serial, ...toTerms(terms, tenantId) });
      engines.set(tenantId, engine);
      return engine;
    },
    termsOf: (tenantId) => terms.get(tenantId),
    findTenant: (tenantId) => tenants.get(tenantId),
    findCell: (cellId) => cells.get(cellId),
    homeOf: (tenantId, residency) => homes.get(`${tenantId} ${residency}`),
  };
}

function toCanary(
  { bundle, candidate, terms }: OpenedBundle,
  { clock, before }: { readonly clock: Clock; readonly before?: BundleInForce },
): { readonly canary?: Canary } {
  if (bundle.candidate === undefined || candidate === undefined) return {};
  const tally = before?.canary?.tally;
  const parts = { clock, candidate: bundle.candidate, charter: candidate, terms };
  return { canary: createCanary({ ...parts, ...(tally === undefined ? {} : { tally }) }) };
}

function toTerms(
  terms: ReadonlyMap<TenantId, ContractTerms>,
  tenantId: TenantId | undefined,
): { readonly terms?: ContractTerms } {
  const found = tenantId === undefined ? undefined : terms.get(tenantId);
  return found === undefined ? {} : { terms: found };
}

/** The public half of a cell's signing key, out of its text form in a bundle. */
export function parseCellKey(text: string): KeyObject {
  const der = Buffer.concat([
    // RFC 8410 §4: SubjectPublicKeyInfo of Ed25519.
    Buffer.from('302a300506032b6570032100', 'hex'),
    Buffer.from(text, 'base64'),
  ]);
  return createPublicKey({ key: der, format: 'der', type: 'spki' });
}
