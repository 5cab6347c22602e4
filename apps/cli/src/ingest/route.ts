// SPDX-License-Identifier: Apache-2.0
// Which cell is home to data from a country: the charter's table, as a cell tells it, and the atlas's
// names for what the charter does not name itself. The cell decides again; this only saves the way.
import { findJurisdiction } from '@bailiwick/atlas';
import type { CharterSummary } from '@bailiwick/sdk';

/** Where a line goes, or why nowhere. */
export type Route =
  | { readonly country: string; readonly residency: string; readonly cell: string }
  | {
      readonly country: string;
      readonly refusal: { readonly code: string; readonly detail: string };
    };

/** Finds routes by what stands in a file's country column; remembers what it found. */
export type Router = (text: string) => Route;

/** Makes the router of one charter. */
export function createRouter(charter: CharterSummary): Router {
  const names = new Map(
    Object.entries(charter.names).map(([name, id]) => [name.trim().toLowerCase(), id]),
  );
  const known = new Map<string, Route>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const route = findRoute(charter, names, text);
    // Bounded by the countries of the world, not by the file: unknown texts are not remembered.
    if (route.country !== '?') known.set(text, route);
    return route;
  };
}

function findRoute(charter: CharterSummary, names: Map<string, string>, text: string): Route {
  const country = names.get(text.trim().toLowerCase()) ?? findJurisdiction(text.trim())?.id;
  if (country === undefined) {
    // The text is not repeated: in a file whose columns slipped it may be anything.
    return {
      country: '?',
      refusal: {
        code: 'ORIGIN_UNKNOWN',
        detail: 'the country column names no country that charter or atlas know',
      },
    };
  }
  const home = findHome(charter, country);
  if (home !== undefined) return { country, residency: home.residency, cell: home.cell };
  const because = charter.refused[country]?.because ?? 'no rule of the charter names a home';
  return { country, refusal: { code: 'ORIGIN_WITHOUT_HOME', detail: because } };
}

/** A part of a country (`us-ca`) lives where the country does, unless it has a row of its own. */
function findHome(
  charter: CharterSummary,
  country: string,
): CharterSummary['routes'][string] | undefined {
  return charter.routes[country] ?? charter.routes[country.split('-')[0] ?? country];
}
