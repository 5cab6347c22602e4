// SPDX-License-Identifier: Apache-2.0
// INVARIANT 12: the cell looks where it stands and refuses to start when that is not where it was told.
import { readFileSync } from 'node:fs';
import { findCloudRegion, findJurisdiction } from '@bailiwick/atlas';
import type { CellConfig, ObservedLocation } from '@bailiwick/contracts';
import { toCountry } from './enforcement/border.ts';
import { CellError } from './errors.ts';

/** Where the cell found itself and how. */
export interface ObservedAt {
  readonly kind: ObservedLocation['kind'];
  readonly jurisdiction: string;
}

/**
 * Finds out where this cell stands and holds it against the configuration.
 *
 * @throws {CellError} `CELL_LOCATION_MISMATCH`, also when the place cannot be found out.
 */
export function observeLocation(config: CellConfig): ObservedAt {
  const { jurisdiction: told, observed } = config.location;
  const found =
    observed.kind === 'configured' ? observed.jurisdiction : readIdentity(observed.file);
  for (const [what, place] of [
    ['configured', told],
    ['observed', found],
    ['operator', config.operator.jurisdiction],
  ] as const) {
    if (findJurisdiction(place)?.id !== place) {
      throw new CellError('CELL_LOCATION_MISMATCH', `the ${what} place \`${place}\` is unknown`);
    }
  }
  // A cloud region tells a country where the configuration may name a part of it.
  if (found === told || toCountry(told) === found)
    return { kind: observed.kind, jurisdiction: found };
  throw new CellError(
    'CELL_LOCATION_MISMATCH',
    `the cell was told that it stands in \`${told}\` and found itself in \`${found}\``,
  );
}

function readIdentity(file: string): string {
  const refuse = (problem: string, cause?: unknown): never => {
    throw new CellError('CELL_LOCATION_MISMATCH', `\`${file}\` ${problem}`, { cause });
  };
  let document: { readonly provider?: unknown; readonly region?: unknown };
  try {
    document = JSON.parse(readFileSync(file, 'utf8')) as typeof document;
  } catch (cause) {
    return refuse('is no instance identity document', cause);
  }
  const { provider, region } = document;
  if (typeof provider !== 'string' || typeof region !== 'string') {
    return refuse('names no provider and region');
  }
  const known = findCloudRegion({ provider, region });
  return known === undefined
    ? refuse('names a region that the atlas does not know')
    : known.jurisdiction;
}
