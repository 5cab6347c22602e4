// SPDX-License-Identifier: Apache-2.0
// Places with law of their own, and how a text is turned into one. Look-up is exact after NFKC and
// case folding; nothing is guessed, so a name with a letter of another script finds nothing.

import { AtlasError } from './errors.ts';
import { NAME_TEXT_LENGTH_MAX } from './limits.ts';
import type { Jurisdiction } from './row.ts';
import { ALIASES } from './tables/aliases.ts';
import { COUNTRIES, COUNTRIES_SOURCE, type CountryRow } from './tables/countries.ts';
import { CODES_READ } from './tables/evidence.ts';
import { GROUPINGS } from './tables/memberships.ts';
import { TERRITORIES } from './tables/parts.ts';
import { SUBDIVISIONS } from './tables/subdivisions.ts';

const territoryOf = new Map(TERRITORIES.map((row) => [row.id, row]));

function toCountry([alpha2, alpha3, name]: CountryRow): Jurisdiction {
  const id = alpha2 === 'GB' ? 'uk' : alpha2.toLowerCase();
  const territory = territoryOf.get(id);
  return {
    id,
    iso: alpha2,
    iso3: alpha3,
    name,
    kind: territory === undefined ? 'country' : 'territory',
    partOf: territory?.partOf === undefined ? [] : [territory.partOf],
    aliases: ALIASES[alpha2] ?? [],
    source: territory === undefined ? COUNTRIES_SOURCE : `${COUNTRIES_SOURCE}; ${territory.source}`,
    asOf: (territory ?? CODES_READ).asOf,
    confirmed: (territory ?? CODES_READ).confirmed,
  };
}

const all: readonly Jurisdiction[] = [
  ...COUNTRIES.map(toCountry),
  ...SUBDIVISIONS.map((row): Jurisdiction => ({ ...row, kind: 'subdivision' })),
  ...GROUPINGS.map((row): Jurisdiction => ({ ...row, kind: 'grouping', partOf: [] })),
];

/**
 * The form in which names are compared: NFKC, white space collapsed, case folded. Letters that only
 * look alike stay different.
 */
export function toNameForm(text: string): string {
  // Lower, upper, lower again folds what one step leaves (`ß` and `SS`, final sigma).
  const folded = text.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase();
  return folded.normalize('NFKC').replace(/\s+/gu, ' ').trim();
}

/** Every text that finds this jurisdiction. */
export function namesOf(jurisdiction: Jurisdiction): readonly string[] {
  const { id, iso, iso3, name, aliases } = jurisdiction;
  return [
    id,
    ...(iso === undefined ? [] : [iso]),
    ...(iso3 === undefined ? [] : [iso3]),
    name,
    ...aliases,
  ];
}

const byId = new Map(all.map((jurisdiction) => [jurisdiction.id, jurisdiction]));
const byName = new Map(
  all.flatMap((jurisdiction) =>
    namesOf(jurisdiction).map((name) => [toNameForm(name), jurisdiction] as const),
  ),
);

/** All jurisdictions of the atlas: countries and territories, then subdivisions, then groupings. */
export function listJurisdictions(): readonly Jurisdiction[] {
  return all;
}

/**
 * Finds the jurisdiction that an id, code or name means: `de`, `DE`, `DEU`, `Germany`, `EIRE`,
 * `Channel Islands`. `idOrAlias` may come from a stranger; what is not exactly known is `undefined`.
 */
export function findJurisdiction(idOrAlias: string): Jurisdiction | undefined {
  if (idOrAlias.length > NAME_TEXT_LENGTH_MAX) return undefined;
  return byId.get(idOrAlias) ?? byName.get(toNameForm(idOrAlias));
}

/**
 * The jurisdiction with this id; other names are not looked up.
 *
 * @throws {AtlasError} `ATLAS_JURISDICTION_UNKNOWN`
 */
export function getJurisdiction(id: string): Jurisdiction {
  const found = byId.get(id);
  if (found === undefined) {
    throw new AtlasError(
      'ATLAS_JURISDICTION_UNKNOWN',
      'no jurisdiction with this id: expected an id of the atlas such as `de` or `us-ca`',
    );
  }
  return found;
}
