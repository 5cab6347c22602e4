// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseSpiffeId, parseTrustDomain, toTrustDomain } from './spiffe-id.ts';

describe('a spiffe id', () => {
  it('is read with its trust domain', () => {
    const id = parseSpiffeId('spiffe://bailiwick.localhost/cell/eu-de/main');
    expect(toTrustDomain(id)).toBe('bailiwick.localhost');
  });

  it.each([
    '',
    'bailiwick.localhost/cell',
    'https://bailiwick.localhost/cell',
    'SPIFFE://bailiwick.localhost/cell',
    'spiffe://bailiwick.localhost',
    'spiffe://bailiwick.localhost/',
    'spiffe://bailiwick.localhost/cell/',
    'spiffe://bailiwick.localhost//cell',
    'spiffe://bailiwick.localhost/./cell',
    'spiffe://bailiwick.localhost/../cell',
    'spiffe://Bailiwick.localhost/cell',
    'spiffe://bailiwick.localhost:443/cell',
    'spiffe://user@bailiwick.localhost/cell',
    'spiffe:///cell',
    'spiffe://bailiwick.localhost/cell?x=1',
    'spiffe://bailiwick.localhost/cell#x',
    'spiffe://bailiwick.localhost/ce%6cl',
    'spiffe://bailiwick.localhost/zelle-ü',
    `spiffe://bailiwick.localhost/${'x'.repeat(2048)}`,
    `spiffe://${'x'.repeat(256)}/cell`,
  ])('refuses `%s`', (text) => {
    expect(() => parseSpiffeId(text)).toThrowError(
      expect.objectContaining({ code: 'PKI_SPIFFE_ID_INVALID' }),
    );
  });

  it('refuses a trust domain with a path or in upper case', () => {
    for (const text of ['', 'a/b', 'A.example', 'a b']) {
      expect(() => parseTrustDomain(text)).toThrowError();
    }
  });
});
