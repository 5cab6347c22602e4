// SPDX-License-Identifier: Apache-2.0
// Goal: the detector finds what looks personal, and lets through what the middle really carries.
import { describe, expect, it } from 'vitest';
import { findPersonalData, findPersonalKind } from './personal-data.ts';

describe('the detector', () => {
  it.each([
    ['jane.doe@example.com', 'e-mail'],
    ['Jane <jane@example.co.uk>', 'e-mail'],
    ['jane.doe(at)example.com', 'e-mail'],
    ['jane%40example.com', 'e-mail'],
    ['please call +49 170 1234567', 'phone'],
    ['+442079460958', 'phone'],
    ['0049 (0)30 901820', 'phone'],
    ['DE89 3704 0044 0532 0130 00', 'iban'],
    ['GB29NWBK60161331926819', 'iban'],
    ['4111 1111 1111 1111', 'payment-card'],
    ['378282246310005', 'payment-card'],
  ])('finds `%s` also in prose', (text, kind) => {
    expect(findPersonalKind(text, 'prose')).toBe(kind);
    expect(findPersonalKind(`a sentence, ${text}, goes on`, 'prose')).toBe(kind);
    expect(findPersonalKind(text, 'closed')).toBe(kind);
  });

  it.each([
    ['Jane', 'free-text'],
    ['jane doe', 'free-text'],
    ['müller', 'free-text'],
    ['Hauptstraße 5', 'free-text'],
    ['customer-47113', 'person-id'],
    ['01890a5d-ac96-774b-bcce-b302099a8057', 'person-id'],
    ['192.168.17.4', 'network-address'],
    ['x7Jk29fLq0ZtB4mW', 'random-id'],
    ['', 'free-text'],
    ['田中', 'free-text'],
  ])('finds `%s` where only short words belong', (text, kind) => {
    expect(findPersonalKind(text, 'closed')).toBe(kind);
  });

  it.each([
    ['closed', 'de'],
    ['closed', 'orders'],
    ['closed', '2026-10'],
    ['closed', '2026-q4'],
    ['closed', '2026-11-20T12:00:00.000Z'],
    ['closed', 'eu-de/main'],
    ['closed', 'EUR'],
    ['closed', 'customer-support'],
    ['prose', 'Regulation (EU) 2016/679 of 27 April 2016, Art. 44 to 49'],
    ['prose', 'in force from 2026-11-20; 45 CFR 164.502(e), 42 U.S.C. 1320d'],
    ['prose', 'Commission Implementing Decision (EU) 2021/914, recital 17'],
    ['prose', 'https://eur-lex.europa.eu/eli/reg/2016/679/oj'],
  ] as const)('lets `%s` text `%s` through', (profile, text) => {
    expect(findPersonalKind(text, profile)).toBeUndefined();
  });

  it('walks lists, objects and keys, and names places without values', () => {
    const findings = findPersonalData(
      { a: [{ b: 'jane@example.com' }], 'joe@example.com': 1, id: 'x', deep: { c: 'de' } },
      { profile: 'closed', except: ['/id'] },
    );
    expect(findings).toEqual([
      { pointer: '/a/0/b', kind: 'e-mail' },
      { pointer: '/#1', kind: 'e-mail' },
    ]);
  });

  it('takes nothing that is nested without end', () => {
    let value: unknown = 'de';
    for (let depth = 0; depth < 40; depth += 1) value = [value];
    expect(findPersonalData(value, { profile: 'closed' })).toHaveLength(1);
  });
});
