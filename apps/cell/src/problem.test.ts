// SPDX-License-Identifier: Apache-2.0
// Goal: whoever sent the wrong shape learns where and what was expected, once for each place, and nothing
// of what was sent. Method: the validator's own errors for real schemas.
import { TransferRequestSchema } from '@bailiwick/contracts';
import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import { toProblem } from './problem.ts';
import { compileValidator } from './validation.ts';

function refuse(schema: object, body: unknown, httpPart = 'body'): ReturnType<typeof toProblem> {
  const answer: unknown = compileValidator({ schema, httpPart, method: 'POST', url: '/' })(body);
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) {
    throw new Error('the body was taken');
  }
  const validation = answer.error;
  return toProblem(Object.assign(new Error(), { validation, validationContext: httpPart }));
}

const transfer = {
  kind: 'aggregate',
  selection: { collection: 'orders' },
  form: 'aggregated',
  destination: { kind: 'control' },
  purpose: 'statistics',
  aggregate: { groupBy: ['month'], measures: [], minimumCount: 10 },
};

describe('a body of the wrong shape', () => {
  it('is told the words that a choice has, once', () => {
    const { errors } = refuse(TransferRequestSchema, { ...transfer, kind: 'Kopie' });
    expect(errors).toEqual([
      {
        pointer: '/kind',
        detail: 'must be one of `copy`, `move`, `aggregate`, `standby`, `export`',
      },
    ]);
  });

  it('is told the words of a choice between words and objects', () => {
    const aggregate = { ...transfer.aggregate, groupBy: ['weekday'] };
    const { errors } = refuse(TransferRequestSchema, { ...transfer, aggregate });
    expect(errors?.[0]?.pointer).toBe('/aggregate/groupBy/0');
    expect(errors?.[0]?.detail).toMatch(/^must be one of `country`.*`month`/);
    expect(JSON.stringify(errors)).not.toContain('weekday');
  });

  it('is told what is missing', () => {
    const { purpose: _, ...rest } = transfer;
    const { errors } = refuse(TransferRequestSchema, rest);
    expect(errors).toEqual([{ pointer: '', detail: 'must have required properties purpose' }]);
  });

  it('is not told its own words: an unknown key, a wrong value', () => {
    const { errors } = refuse(TransferRequestSchema, { ...transfer, 'jane@example.org': 1 });
    expect(errors?.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toContain('jane');
  });

  it('in the path says that it is the path', () => {
    const schema = Type.Object({ at: Type.Integer() });
    const { errors } = refuse(schema, { at: 'noon' }, 'params');
    expect(errors).toEqual([{ pointer: '#params/at', detail: 'must be integer' }]);
  });
});

describe('text that stands for another type', () => {
  it('is converted in path and query, never in a body', () => {
    const route = { schema: Type.Object({ count: Type.Integer() }), method: 'GET', url: '/' };
    const validate = compileValidator({ ...route, httpPart: 'querystring' });
    expect(validate({ count: '7' })).toEqual({ value: { count: 7 } });
    expect(compileValidator({ ...route, httpPart: 'body' })({ count: '7' })).toHaveProperty(
      'error',
    );
  });
});
