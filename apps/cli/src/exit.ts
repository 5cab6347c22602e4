// SPDX-License-Identifier: Apache-2.0
// From an outcome to an exit code and two lines: STYLE §6.
import { isCoded } from '@bailiwick/kernel';
import { CliError } from './errors.ts';

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  denied: 3,
  unverified: 4,
  unavailable: 5,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What is left of a failure for a person: one line, perhaps a hint, and the exit code. */
export interface Ending {
  readonly code: ExitCode;
  readonly message: string;
  readonly hint?: string;
  /** More lines, such as each place of the input that is wrong. */
  readonly notes?: readonly string[];
  readonly errorCode?: string;
  readonly problem?: unknown;
}

/** Shape of a problem document, without loading the client library for it. */
interface ProblemLike {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail?: string;
  readonly nearest?: readonly { readonly words: string }[];
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

function findProblemLike(error: Error): ProblemLike | undefined {
  const { cause } = error;
  if (typeof cause !== 'object' || cause === null) return undefined;
  return 'status' in cause && 'code' in cause && 'title' in cause
    ? (cause as ProblemLike)
    : undefined;
}

function toProblemEnding(problem: ProblemLike): Ending {
  const detail = problem.detail ?? '';
  const nearest = problem.nearest?.[0]?.words;
  const code =
    problem.status === 403 || problem.status === 421
      ? EXIT.denied
      : problem.status === 423 || problem.status >= 500 || problem.status === 429
        ? EXIT.unavailable
        : EXIT.failed;
  const notes = problem.errors?.map((place) => `${place.pointer || '/'}: ${place.detail}`) ?? [];
  const said = detail === '' || notes.length > 0 ? problem.title : detail;
  return {
    code,
    message: `${problem.code}: ${said}`,
    ...(notes.length > 0 ? { notes } : {}),
    errorCode: problem.code,
    problem,
    ...(nearest === undefined ? {} : { hint: nearest }),
  };
}

/** What a thrown value means to the person who ran the command. Never a stack. */
export function toEnding(error: unknown): Ending {
  if (!(error instanceof Error)) return { code: EXIT.failed, message: 'an unknown failure' };
  const problem = findProblemLike(error);
  if (problem !== undefined) return toProblemEnding(problem);
  const errorCode = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const base = {
    message: toOneLine(error.message),
    ...(errorCode === undefined ? {} : { errorCode }),
  };
  if (isCoded(error, 'CLI_INTERRUPTED')) return { ...base, code: EXIT.interrupted };
  if (isCoded(error, 'CLI_APPROVAL_MISSING')) {
    return { ...base, code: EXIT.denied, ...toHint(error) };
  }
  if (isCoded(error, 'SDK_CELL_UNREACHABLE')) {
    return { ...base, code: EXIT.unavailable, hint: 'is it running? try `bailiwick status`' };
  }
  if (isCoded(error, 'SDK_DEADLINE_EXCEEDED')) return { ...base, code: EXIT.unavailable };
  if (isUsage(error)) return { ...base, code: EXIT.usage, ...toHint(error) };
  return { ...base, code: EXIT.failed, ...toHint(error) };
}

function isUsage(error: Error): boolean {
  return ['CLI_USAGE_WRONG', 'CLI_CONFIG_INVALID', 'CLI_CONFIG_ABSENT', 'CLI_MAPPING_INVALID'].some(
    (code) => isCoded(error, code),
  );
}

function toHint(error: Error): { readonly hint?: string } {
  if (error instanceof CliError && error.hint !== undefined) return { hint: error.hint };
  const system = 'code' in error ? error.code : undefined;
  if (system === 'ENOSPC')
    return { hint: 'the disk is full: make room and run the same command again' };
  if (system === 'EACCES' || system === 'EPERM') return { hint: 'check who owns the file' };
  return {};
}

function toOneLine(text: string): string {
  return text.replace(/\s*\n[\s\S]*$/, '').slice(0, 500);
}
