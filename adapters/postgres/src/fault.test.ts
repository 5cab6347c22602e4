// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { findDatabaseFault } from './fault.ts';

const coded = (code: string, more: object = {}): Error =>
  Object.assign(new Error('quotes a value'), { code, ...more });

describe('trouble of the database', () => {
  it.each([
    ['57P01', 'unreachable'],
    ['57P02', 'unreachable'],
    ['57P03', 'unreachable'],
    ['08006', 'unreachable'],
    ['53300', 'unreachable'],
    ['53100', 'full'],
    ['58030', 'full'],
    ['57014', 'slow'],
    ['55P03', 'slow'],
  ])('is told by the server’s code %s: %s', (code, fault) => {
    expect(findDatabaseFault(coded(code))).toBe(fault);
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'Client has encountered a connection error and is not queryable',
    'timeout exceeded when trying to connect',
  ])('is told by the driver’s sentence: %s', (sentence) => {
    expect(findDatabaseFault(new Error(sentence))).toBe('unreachable');
  });

  it('is told by a socket that the driver opened', () => {
    expect(findDatabaseFault(coded('ECONNREFUSED', { syscall: 'connect' }))).toBe('unreachable');
  });

  it.each([
    coded('23505'),
    coded('40P01'),
    coded('42501'),
    coded('22P02'),
    coded('ECONNREFUSED'),
    coded('CELL_INTERNAL_FAULT'),
    new Error('Connections are good'),
    new TypeError('x is not a function'),
  ])('is not seen where it is none: %s', (error) => {
    expect(findDatabaseFault(error)).toBeUndefined();
  });

  it.each([undefined, null, '57P01', { code: '57P01' }])('is not seen in %j', (value) => {
    expect(findDatabaseFault(value)).toBeUndefined();
  });
});
