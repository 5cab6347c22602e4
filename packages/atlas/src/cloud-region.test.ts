// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { findCloudRegion, listCloudRegions } from './index.ts';

describe('cloud regions', () => {
  it.each([
    ['aws', 'eu-central-1', 'de', 'us'],
    ['aws', 'eu-west-2', 'uk', 'us'],
    ['aws', 'us-east-1', 'us-va', 'us'],
    ['aws', 'ap-southeast-2', 'au', 'us'],
    ['aws', 'cn-north-1', 'cn', 'cn'],
    ['azure', 'germanywestcentral', 'de', 'us'],
    ['azure', 'uksouth', 'uk', 'us'],
    ['google-cloud', 'europe-west3', 'de', 'us'],
    ['google-cloud', 'australia-southeast1', 'au', 'us'],
    ['ovhcloud', 'GRA', 'fr', 'fr'],
    ['stackit', 'eu01', 'de', 'de'],
  ])('%s %s stands in %s and is run from %s', (provider, region, jurisdiction, seat) => {
    expect(findCloudRegion({ provider, region })).toMatchObject({
      jurisdiction,
      operatorJurisdiction: seat,
    });
  });

  it('keep place and reach apart: a sovereign offer in Germany with an American parent', () => {
    expect(findCloudRegion({ provider: 'aws', region: 'eusc-de-east-1' })).toMatchObject({
      jurisdiction: 'de',
      operatorJurisdiction: 'de',
      reachableFrom: ['de', 'us'],
    });
  });

  it('always count the operator’s seat among those whose law reaches it', () => {
    const wrong = listCloudRegions().filter(
      (row) => !row.reachableFrom.includes(row.operatorJurisdiction),
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ['aws', 'EU-CENTRAL-1'],
    ['AWS', 'eu-central-1'],
    ['aws', 'eu-central-1a'],
    ['azure', 'eu-central-1'],
    ['aws/eu-central-1', ''],
    ['', ''],
  ])('do not guess at %j %j', (provider, region) => {
    expect(findCloudRegion({ provider, region })).toBeUndefined();
  });
});
