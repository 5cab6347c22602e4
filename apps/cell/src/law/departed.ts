// SPDX-License-Identifier: Apache-2.0
// Tenants and homes that bundles no longer name. What was agreed with them still counts: a control plane
// must not loosen terms or move a home by leaving a tenant out of one bundle and bringing it back in another.
import type { Bundle, BundleTenant } from '@bailiwick/contracts';

type Home = Bundle['homes'][number];

/** What was last known of tenants and homes that are not in the bundle in force. */
export interface Departed {
  readonly tenants: readonly BundleTenant[];
  readonly homes: readonly Home[];
}

export const NOBODY_DEPARTED: Departed = { tenants: [], homes: [] };

/** Most tenants remembered; who goes beyond must be looked at by a person, and is told in the log. */
export const DEPARTED_COUNT_MAX = 100_000;

const isSameHome = (one: Home, other: Home): boolean =>
  one.tenantId === other.tenantId && one.residency === other.residency;

/** Who is remembered once `next` is in force instead of `current`. */
export function rememberDeparted(
  current: Bundle | undefined,
  next: Bundle,
  before: Departed,
): Departed {
  const present = new Set(next.tenants.map(({ tenantId }) => tenantId));
  const homes = new Set(next.homes.map((home) => `${home.tenantId} ${home.residency}`));
  const isGone = ({ tenantId }: BundleTenant): boolean => !present.has(tenantId);
  const isLeft = (home: Home): boolean => !homes.has(`${home.tenantId} ${home.residency}`);
  return {
    tenants: [...before.tenants, ...(current?.tenants ?? [])].filter(isGone),
    homes: [...before.homes, ...(current?.homes ?? [])].filter(isLeft),
  };
}

/** A tenant as it was last known, whether or not the bundle in force names it. */
export function findKnownTenant(
  current: Bundle | undefined,
  departed: Departed,
  tenantId: BundleTenant['tenantId'],
): BundleTenant | undefined {
  const isIt = (one: BundleTenant): boolean => one.tenantId === tenantId;
  return current?.tenants.find(isIt) ?? departed.tenants.findLast(isIt);
}

/** A home as it was last known. */
export function findKnownHome(
  current: Bundle | undefined,
  departed: Departed,
  home: Home,
): Home | undefined {
  const isIt = (one: Home): boolean => isSameHome(one, home);
  return current?.homes.find(isIt) ?? departed.homes.findLast(isIt);
}
