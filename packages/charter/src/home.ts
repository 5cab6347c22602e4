// SPDX-License-Identifier: Apache-2.0
// Where data collected somewhere lives. The narrowest entry of the charter counts: the jurisdiction
// itself, then what it is a part of, then the smallest group that it belongs to.
import { findJurisdiction, listJurisdictions } from '@bailiwick/atlas';
import { type CellId, parseCellId, type Residency, toResidency } from '@bailiwick/kernel';
import { listPlaces } from './attribute.ts';
import type { CharterDocument } from './document.ts';
import { createPlaceBook, findAdequacyEnd, type PlaceBook } from './places.ts';
import { type Report, toPointerStep } from './shape.ts';

/** Where the data of one origin lives, or that it is refused, and why. */
export type Home =
  | {
      readonly ok: true;
      readonly cellId: CellId;
      readonly residency: Residency;
      /** Sorted, one to four. */
      readonly regimes: readonly string[];
      readonly because: string;
      readonly source: string;
    }
  | { readonly ok: false; readonly code: HomeRefusal; readonly because: string };

/** Why an origin has no home. */
export type HomeRefusal = 'CHARTER_ORIGIN_UNKNOWN' | 'CHARTER_HOME_ABSENT' | 'CHARTER_HOME_REFUSED';

interface Entry {
  readonly key: string;
  readonly home: Home;
  readonly members: ReadonlySet<string>;
}

/** Groupings that can be origins themselves: data sets name them (`Channel Islands`). */
function listGroupOrigins(document: CharterDocument): readonly string[] {
  const named = [
    ...Object.keys(document.homes),
    ...Object.keys(document.refused ?? {}),
    ...Object.values(document.names ?? {}),
  ];
  const groupings = new Set(
    listJurisdictions()
      .filter((item) => item.kind === 'grouping')
      .map((item) => item.id),
  );
  return [...new Set(named)].filter((id) => groupings.has(id));
}

function toEntries(document: CharterDocument, book: PlaceBook, report: Report): readonly Entry[] {
  const entries: Entry[] = [];
  const add = (section: string, key: string, home: Home): void => {
    const members = book.findMembers(key);
    if (members) {
      entries.push({ key, home, members: new Set(members.keys()) });
      return;
    }
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${key}\` is no jurisdiction of the atlas and no place of this charter`,
      pointer: `/${section}${toPointerStep(key)}`,
      expected: 'a jurisdiction such as `de`, a grouping such as `eea`, or a name under `places`',
    });
  };
  for (const [key, clause] of Object.entries(document.homes)) {
    const cellId = parseCellId(clause.cell);
    const { because, source } = clause;
    add('homes', key, {
      ok: true,
      cellId,
      residency: toResidency(cellId),
      regimes: [...new Set(clause.regimes)].sort(),
      because,
      source,
    });
  }
  for (const [key, clause] of Object.entries(document.refused ?? {})) {
    if (Object.hasOwn(document.homes, key)) {
      report({
        code: 'CHARTER_HOME_CONTRADICTED',
        message: `\`${key}\` has a home and is refused`,
        pointer: `/refused${toPointerStep(key)}`,
        expected: 'one of the two',
      });
    }
    add('refused', key, { ok: false, code: 'CHARTER_HOME_REFUSED', because: clause.because });
  }
  return entries;
}

function pick(
  origin: string,
  entries: readonly Entry[],
  byKey: ReadonlyMap<string, Entry>,
  report: Report,
): Entry | undefined {
  const chain = [origin, ...(findJurisdiction(origin)?.partOf ?? [])];
  for (const id of chain) {
    const own = byKey.get(id);
    if (own) return own;
  }
  const around = entries
    .filter((entry) => entry.members.has(origin))
    .sort((a, b) => a.members.size - b.members.size);
  const [narrowest, ...others] = around;
  if (!narrowest) return undefined;
  const rival = others.find(
    (entry) => ![...narrowest.members].every((id) => entry.members.has(id)),
  );
  if (rival && JSON.stringify(rival.home) !== JSON.stringify(narrowest.home)) {
    report({
      code: 'CHARTER_HOME_AMBIGUOUS',
      message: `\`${origin}\` belongs to \`${narrowest.key}\` and to \`${rival.key}\`, and neither lies within the other`,
      pointer: `/${rival.home.ok ? 'homes' : 'refused'}${toPointerStep(rival.key)}`,
      expected: `an entry of its own for \`${origin}\``,
    });
  }
  return narrowest;
}

function checkAdequacy(document: CharterDocument, report: Report): void {
  for (const [key, clause] of Object.entries(document.homes)) {
    const by = clause.adequacyBy;
    if (by === undefined) continue;
    const cell = Object.entries(document.cells).find(
      ([id]) => parseCellId(id) === parseCellId(clause.cell),
    )?.[1];
    const pointer = `/homes${toPointerStep(key)}/adequacyBy`;
    if (!findJurisdiction(by) || cell === undefined || !findJurisdiction(cell.location)) {
      report({
        code: 'CHARTER_NAME_UNKNOWN',
        message: `\`${by}\` is no jurisdiction of the atlas`,
        pointer,
        expected: 'a jurisdiction such as `jp`',
      });
      continue;
    }
    const query = { by, to: cell.location, acceptsPartial: true };
    if (findAdequacyEnd({ ...query, onDate: document.atlas }) === undefined) {
      report({
        code: 'CHARTER_ADEQUACY_ABSENT',
        message: `the atlas of ${document.atlas} has no decision in force by which \`${by}\` finds \`${cell.location}\` adequate`,
        pointer,
        expected: 'a decision in force, or another ground for this home',
      });
    }
  }
}

/** Every origin of the atlas with its home or the reason why it has none. */
export function resolveHomes(document: CharterDocument, report: Report): ReadonlyMap<string, Home> {
  const origins = [...listPlaces(), ...listGroupOrigins(document)];
  const book = createPlaceBook({
    onDate: document.atlas,
    candidates: origins,
    places: document.places ?? {},
  });
  const entries = toEntries(document, book, report);
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  checkAdequacy(document, report);
  const { otherwise } = document;
  const elsewhere: Home = otherwise
    ? {
        ok: true,
        cellId: parseCellId(otherwise.cell),
        residency: toResidency(parseCellId(otherwise.cell)),
        regimes: [...new Set(otherwise.regimes)].sort(),
        because: otherwise.because,
        source: otherwise.source,
      }
    : {
        ok: false,
        code: 'CHARTER_HOME_ABSENT',
        because: 'the charter names no home for data collected there',
      };
  const homes = new Map<string, Home>();
  for (const origin of origins)
    homes.set(origin, pick(origin, entries, byKey, report)?.home ?? elsewhere);
  return homes;
}
