// SPDX-License-Identifier: Apache-2.0
// Where a provider's region stands and who runs it. The two are not one thing: a region in Frankfurt run
// by a company under another country's law is in Germany and within that law's reach.
import type { CloudRegion } from './row.ts';
import { CLOUD_REGIONS } from './tables/cloud-regions.ts';

const keyOf = (provider: string, region: string): string => `${provider}/${region}`;
const byKey = new Map(CLOUD_REGIONS.map((row) => [keyOf(row.provider, row.region), row]));

/** All cloud regions of the atlas. */
export function listCloudRegions(): readonly CloudRegion[] {
  return CLOUD_REGIONS;
}

/** The region with this code at this provider; exact, as cloud metadata writes it. */
export function findCloudRegion(query: {
  readonly provider: string;
  readonly region: string;
}): CloudRegion | undefined {
  return byKey.get(keyOf(query.provider, query.region));
}
