// SPDX-License-Identifier: Apache-2.0
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJurisdiction, listJurisdictions, suggestJurisdiction } from './index.ts';
import { namesOf, toNameForm } from './jurisdiction.ts';

const anyName = fc.constantFrom(...listJurisdictions().flatMap((row) => namesOf(row)));
const anyText = fc.string({ unit: 'binary', maxLength: 200 });

describe('names', () => {
  it('have a form that does not change when taken again', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const form = toNameForm(text);
        expect(toNameForm(form)).toBe(form);
      }),
    );
  });

  it('are found in any case and with any white space around', () => {
    fc.assert(
      fc.property(anyName, fc.constantFrom('', ' ', '\t', '\u00a0 '), (name, space) => {
        const wanted = findJurisdiction(name);
        expect(wanted).toBeDefined();
        expect(findJurisdiction(`${space}${name}${space}`)).toBe(wanted);
        expect(findJurisdiction(toNameForm(name))).toBe(wanted);
      }),
    );
  });

  it('never lead elsewhere when a letter of another script is put in', () => {
    const latin = 'aceiopxy';
    const cyrillic = 'асеіорху';
    fc.assert(
      fc.property(anyName, fc.nat(), (name, at) => {
        const places = [...name].flatMap((letter, index) =>
          latin.includes(letter.toLowerCase()) ? [index] : [],
        );
        fc.pre(places.length > 0);
        const index = places[at % places.length] ?? 0;
        const letters = [...name];
        letters[index] = cyrillic[latin.indexOf((letters[index] ?? '').toLowerCase())] ?? '?';
        expect(findJurisdiction(letters.join(''))).toBeUndefined();
      }),
    );
  });

  it('make no text throw or take long', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        findJurisdiction(text);
        expect(suggestJurisdiction(text).length).toBeLessThanOrEqual(3);
      }),
    );
  });
});
