// SPDX-License-Identifier: Apache-2.0
// The law in force as its readers want it: where data of each place lives and why, and on which grounds it
// may cross a border, until when.
import { findJurisdiction } from '@bailiwick/atlas';
import type { CellAnswer, MechanismAnswer, PlaceAnswer } from '@bailiwick/contracts';
import { type CellId, type TenantId, toInstant } from '@bailiwick/kernel';
import type { BundleInForce } from '../law/law-in-force.ts';

const places = new WeakMap<BundleInForce, readonly PlaceAnswer[]>();

/** Every place that the charter speaks of or the atlas knows; made once per bundle. */
export function listPlaces(law: BundleInForce): readonly PlaceAnswer[] {
  const known = places.get(law);
  if (known !== undefined) return known;
  const made = [...law.charter.homes].map(([origin, home]): PlaceAnswer => {
    const { name = origin, iso } = findJurisdiction(origin) ?? {};
    const place = { origin, name, ...(iso === undefined ? {} : { iso }) };
    if (!home.ok) return { ...place, because: home.because };
    const { cellId, regimes, because, source } = home;
    return { ...place, cell: cellId, regimes, because, source };
  });
  places.set(law, made);
  return made;
}

/** The cells of the bundle, as a tenant's people see them. */
export function listCells(
  law: BundleInForce,
  { cellId, tenantId }: { readonly cellId: CellId; readonly tenantId: TenantId },
): readonly CellAnswer[] {
  const { residencies = [] } = law.findTenant(tenantId) ?? {};
  const homes = new Set(residencies.map((residency) => law.homeOf(tenantId, residency)));
  return law.bundle.cells.map(({ cell, residency, name, addresses, location, operator }) => {
    const [address] = addresses;
    return {
      ...{ cell, residency, name, location, operator },
      ...(address === undefined ? {} : { origin: toOrigin(name, address.port) }),
      isThis: cell === cellId,
      isHome: homes.has(cell),
    };
  });
}

const toOrigin = (name: string, port: number): string =>
  port === 443 ? `https://${name}` : `https://${name}:${port}`;

/** The charter's grounds, with where each stands now. */
export function listMechanisms(law: BundleInForce, nowMs: number): readonly MechanismAnswer[] {
  const clauses = law.charter.document.mechanisms ?? {};
  return law.charter.mechanisms.map(({ id, under, fromMs, endsMs }) => {
    const clause = clauses[id];
    const isSuspended = clause?.suspendedFrom !== undefined;
    const hasEnded = endsMs !== undefined && endsMs <= nowMs;
    const isAhead = fromMs !== undefined && fromMs > nowMs;
    return {
      id,
      means: clause?.means ?? id,
      under,
      state: hasEnded ? (isSuspended ? 'suspended' : 'ended') : isAhead ? 'not-yet' : 'in-force',
      ...(fromMs === undefined ? {} : { from: toInstant(fromMs) }),
      ...(endsMs === undefined ? {} : { endsAt: toInstant(endsMs) }),
    };
  });
}
