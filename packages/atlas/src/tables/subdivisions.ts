// SPDX-License-Identifier: Apache-2.0
// Subdivisions with a data-protection law of their own that a charter may name.
import type { Sourced } from '../sourced.ts';

export interface SubdivisionRow extends Sourced {
  /** ISO 3166-2. */
  readonly iso: string;
  readonly name: string;
  readonly partOf: readonly string[];
  readonly aliases: readonly string[];
}

export const SUBDIVISIONS: readonly SubdivisionRow[] = [
  {
    iso: 'US-CA',
    name: 'California',
    partOf: ['us'],
    aliases: [],
    source: 'ISO 3166-2:US; Cal. Civ. Code § 1798.100 et seq.',
    asOf: '2026-02-09',
    confirmed: true,
  },
  {
    iso: 'US-VA',
    name: 'Virginia',
    partOf: ['us'],
    aliases: [],
    source: 'ISO 3166-2:US; Va. Code § 59.1-575 et seq.',
    asOf: '2026-02-09',
    confirmed: true,
  },
  {
    iso: 'CA-QC',
    name: 'Quebec',
    partOf: ['ca'],
    aliases: ['Québec'],
    source:
      'ISO 3166-2:CA; CQLR c. P-39.1 (Act respecting the protection of personal information in the private sector)',
    asOf: '2026-02-09',
    confirmed: true,
  },
];
