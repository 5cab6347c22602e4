// SPDX-License-Identifier: Apache-2.0
// Goal: a line's country leads to the home that the retailer's charter names, and nowhere else.
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compileCharter, parseCharter } from '@bailiwick/charter';
import type { CharterSummary } from '@bailiwick/sdk';
import { describe, expect, it } from 'vitest';
import { createRouter } from './route.ts';

const file = path.resolve(import.meta.dirname, '../../../../charters/retailer.yaml');
const charter = compileCharter(parseCharter(readFileSync(file, 'utf8')), {
  sha256: (text) => hash('sha256', text, 'hex'),
});

function toSummary(): CharterSummary {
  const routes: Record<string, CharterSummary['routes'][string]> = {};
  const refused: Record<string, { because: string }> = {};
  for (const [origin, home] of charter.homes) {
    if (home.ok) {
      routes[origin] = { cell: home.cellId, residency: home.residency, regimes: home.regimes };
    } else refused[origin] = { because: home.because };
  }
  const { hash: charterHash, names } = charter;
  return {
    hash: charterHash,
    serial: 1,
    isFresh: true,
    routes,
    refused,
    names: Object.fromEntries(names),
    purposes: [],
    categories: [],
  };
}

describe('a route', () => {
  const route = createRouter(toSummary());

  it.each([
    ['United Kingdom', 'uk-lon'],
    ['Germany', 'eu-de'],
    ['France', 'eu-de'],
    ['EIRE', 'eu-de'],
    ['Norway', 'eu-de'],
    ['Iceland', 'eu-de'],
    ['Cyprus', 'eu-de'],
    ['Switzerland', 'eu-de'],
    ['Japan', 'eu-de'],
    ['Israel', 'eu-de'],
    ['Channel Islands', 'uk-lon'],
    ['Australia', 'au-syd'],
    ['de', 'eu-de'],
    ['us-ca', 'us-va'],
    [' germany ', 'eu-de'],
  ])('of %s leads to %s', (text, residency) => {
    expect(route(text)).toMatchObject({ residency });
  });

  it('of Bahrain is none, with the charter’s reason', () => {
    expect(route('Bahrain')).toMatchObject({
      country: 'bh',
      refusal: { code: 'ORIGIN_WITHOUT_HOME', detail: expect.stringContaining('Bahrain') },
    });
  });

  it.each(['', 'Atlantis', 'kaethe@post.example', '12'])(
    'of %j is unknown and not repeated',
    (text) => {
      const found = route(text);
      expect(found).toMatchObject({ country: '?', refusal: { code: 'ORIGIN_UNKNOWN' } });
      if (text !== '') expect(JSON.stringify(found)).not.toContain(text);
    },
  );
});
