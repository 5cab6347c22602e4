// SPDX-License-Identifier: Apache-2.0
// Which flows cross a border: those that leave this cell, and those whose destination stands, or whose
// operator sits, in another country than the cell. With stale law these stop and no others (invariant 11).
import { findJurisdiction } from '@bailiwick/atlas';
import type { CellId, Flow } from '@bailiwick/kernel';

/** Where this cell stands and whose law reaches its operator. */
export interface Site {
  readonly cellId: CellId;
  readonly jurisdiction: string;
  readonly operator: string;
}

/** The country of a jurisdiction; itself when the atlas does not know it, so that it equals nothing else. */
export function toCountry(jurisdiction: string): string {
  let at = jurisdiction;
  for (let depth = 0; depth < 4; depth += 1) {
    const found = findJurisdiction(at);
    if (found?.id !== at || found.kind !== 'subdivision') return at;
    const [outer] = found.partOf;
    if (outer === undefined) return at;
    at = outer;
  }
  return at;
}

/** True when data or its reading leaves the country of this cell, or the cell itself. */
export function crossesBorder(flow: Flow, site: Site): boolean {
  const { to, actor } = flow;
  const here = toCountry(site.jurisdiction);
  if (to.kind === 'cell') return to.id !== site.cellId;
  if (to.kind === 'control') return true;
  if (toCountry(to.location) !== here || toCountry(actor.place) !== here) return true;
  return to.kind !== 'reader' && toCountry(to.operator) !== toCountry(site.operator);
}
