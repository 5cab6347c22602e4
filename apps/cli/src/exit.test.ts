// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { CliError } from './errors.ts';
import { toEnding } from './exit.ts';

const withProblem = (status: number, more: object = {}): Error =>
  new Error('x', { cause: { code: 'X_Y_Z', status, title: 'title', ...more } });

describe('an ending', () => {
  it.each([
    [new CliError('CLI_USAGE_WRONG', 'no'), 2],
    [new CliError('CLI_CONFIG_ABSENT', 'no'), 2],
    [new CliError('CLI_PORT_BUSY', 'no'), 1],
    [new CliError('CLI_INTERRUPTED', 'no'), 130],
    [Object.assign(new Error('away'), { code: 'SDK_CELL_UNREACHABLE' }), 5],
    [Object.assign(new Error('late'), { code: 'SDK_DEADLINE_EXCEEDED' }), 5],
    [withProblem(400), 1],
    [withProblem(403), 3],
    [withProblem(421), 3],
    [withProblem(423), 5],
    [withProblem(503), 5],
    ['not even an error', 1],
  ])('of %s has its exit code', (error, code) => {
    expect(toEnding(error).code).toBe(code);
  });

  it('is one line, also for an error with a stack in its message', () => {
    expect(toEnding(new Error('first\n    at somewhere')).message).toBe('first');
  });

  it('names each place of the input that is wrong, and says what the problem is', () => {
    const errors = [
      { pointer: '/aggregate/groupBy/0', detail: 'must be one of `country`, `month`' },
      { pointer: '', detail: 'must have required properties form' },
    ];
    const ending = toEnding(withProblem(400, { detail: 'see `errors`', errors }));
    expect(ending.message).toBe('X_Y_Z: title');
    expect(ending.notes).toEqual([
      '/aggregate/groupBy/0: must be one of `country`, `month`',
      '/: must have required properties form',
    ]);
  });

  it('tells the nearest allowed flow as a hint', () => {
    const ending = toEnding(withProblem(403, { nearest: [{ words: 'allowed as `aggregated`' }] }));
    expect(ending.hint).toBe('allowed as `aggregated`');
  });
});
