// SPDX-License-Identifier: Apache-2.0
// Problems of the groups of jurisdictions that a charter declares: members that nobody knows, adequacy
// that is claimed and is not there (any more).
import { findJurisdiction, listAdequacyDecisions } from '@bailiwick/atlas';
import type { CharterDocument, PlaceClause } from './document.ts';
import type { NamedPlace } from './flow-box.ts';
import { findAdequacyEnd, type PlaceBook } from './places.ts';
import { type Report, toPointerStep } from './shape.ts';
import { findNearest } from './suggest.ts';

/** Reports names of places that nobody knows. */
export function checkPlaceNames(
  places: readonly NamedPlace[],
  book: PlaceBook,
  report: Report,
): void {
  for (const { name, pointer } of places) {
    if (book.findMembers(name)) continue;
    const suggestion = findNearest(name, book.listNames());
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${name}\` is no place${suggestion ? `: did you mean \`${suggestion}\`?` : ''}`,
      pointer,
      expected: 'a jurisdiction, a grouping or a place of this charter',
      ...(suggestion === undefined ? {} : { suggestion }),
    });
  }
}

/** Reports what is wrong with the section `places`. */
export function checkPlaces(document: CharterDocument, book: PlaceBook, report: Report): void {
  for (const [key, clause] of Object.entries(document.places ?? {})) {
    const pointer = `/places${toPointerStep(key)}`;
    for (const section of ['members', 'only'] as const) {
      const names = (clause[section] ?? []).map((name, index) => ({
        name,
        pointer: `${pointer}/${section}/${index}`,
      }));
      checkPlaceNames(names, book, report);
    }
    if (clause.members === undefined && clause.adequacyBy === undefined) {
      report({
        code: 'CHARTER_SHAPE_INVALID',
        message: `\`${key}\` has no members`,
        pointer,
        expected: '`members` or `adequacyBy`',
      });
    }
    checkAdequateMembers(clause, pointer, document.atlas, report);
  }
}

function checkAdequateMembers(
  clause: PlaceClause,
  pointer: string,
  onDate: string,
  report: Report,
): void {
  const by = clause.adequacyBy;
  if (by === undefined) return;
  if (findJurisdiction(by)?.id !== by) {
    report({
      code: 'CHARTER_NAME_UNKNOWN',
      message: `\`${by}\` is no jurisdiction of the atlas`,
      pointer: `${pointer}/adequacyBy`,
      expected: 'a jurisdiction such as `eu`',
    });
    return;
  }
  for (const [index, to] of (clause.only ?? []).entries()) {
    if (findJurisdiction(to)?.id !== to) continue;
    if (findAdequacyEnd({ by, to, onDate, acceptsPartial: true }) !== undefined) continue;
    const isPast = listAdequacyDecisions().some((row) => row.by === by && row.to === to);
    report({
      code: isPast ? 'CHARTER_ADEQUACY_EXPIRED' : 'CHARTER_ADEQUACY_ABSENT',
      message: isPast
        ? `the decision by which \`${by}\` found \`${to}\` adequate is not in force on ${onDate}`
        : `the atlas has no decision by which \`${by}\` finds \`${to}\` adequate`,
      pointer: `${pointer}/only/${index}`,
      expected: 'a jurisdiction with a decision in force',
    });
  }
}
