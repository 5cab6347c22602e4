// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { parseManifest } from './manifest.ts';
import { findSegment, toManifestName, toSegmentName } from './object-name.ts';

const GOOD = {
  v: 1,
  cell: 'eu-de/main',
  backupId: 'b1',
  kind: 'full',
  at: '2026-01-01T00:00:00.000Z',
  finishedAt: '2026-01-01T00:00:01.000Z',
  retainUntil: '2026-02-05T00:00:00.000Z',
  snapshot: '10:12:10,11',
  ledger: { epoch: 1, size: 7 },
  migrations: [['100-tenants.sql', 'ab']],
  sequences: [['ledger.batch_ids', '7']],
  tables: [
    {
      table: 'cell.records',
      columns: ['tenant_id'],
      scope: 'all',
      rowsCount: 1,
      object: 'records/b1/cell.records',
      sizeBytes: 10,
      sha256: '0'.repeat(64),
    },
  ],
  configuration: {},
};

describe('a manifest', () => {
  it('is read as it was written', () => {
    expect(parseManifest(JSON.stringify(GOOD))).toEqual(GOOD);
  });

  it.each([
    ['no JSON', '{'],
    ['no object', 'null'],
    ['another version', { ...GOOD, v: 2 }],
    ['no cell', { ...GOOD, cell: undefined }],
    ['no such kind', { ...GOOD, kind: 'other' }],
    ['a full one with a parent', { ...GOOD, parent: 'b0' }],
    ['an incremental one without', { ...GOOD, kind: 'incremental' }],
    ['no tables', { ...GOOD, tables: {} }],
    ['a table name that is SQL', { ...GOOD, tables: [{ ...GOOD.tables[0], table: 'a.b; DROP' }] }],
    ['a column that is SQL', { ...GOOD, tables: [{ ...GOOD.tables[0], columns: ['a"b'] }] }],
    ['a cut hash', { ...GOOD, tables: [{ ...GOOD.tables[0], sha256: 'ab' }] }],
    ['rows without an object', { ...GOOD, tables: [{ ...GOOD.tables[0], object: '' }] }],
    ['no snapshot', { ...GOOD, snapshot: 'now' }],
    ['a size below zero', { ...GOOD, ledger: { epoch: 1, size: -1 } }],
    ['migrations not in pairs', { ...GOOD, migrations: [['a']] }],
  ])('with %s is refused', (_what, value) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value);
    expect(() => parseManifest(text)).toThrowError(
      expect.objectContaining({ code: 'BACKUPS_MANIFEST_INVALID' }),
    );
  });
});

describe('names of objects', () => {
  it('tell a piece of the ledger, in the order of entries', () => {
    const piece = { epoch: 1, first: 5, end: 1_000_000 };
    expect(findSegment(toSegmentName(piece))).toEqual(piece);
    const names = [9, 10, 2]
      .map((first) => toSegmentName({ epoch: 1, first, end: first + 1 }))
      .sort();
    expect(names.map((name) => findSegment(name)?.first)).toEqual([2, 9, 10]);
  });

  it.each(['ledger/1/5-6', 'ledger/1/0000000000000006-0000000000000005', toManifestName('b1')])(
    'leave %s out of the ledger',
    (name) => expect(findSegment(name)).toBeUndefined(),
  );
});
