// SPDX-License-Identifier: Apache-2.0
// This room's failures. A charter that is not valid is one failure with a list of problems, each of
// which points at a line.
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type CharterErrorCode =
  | 'CHARTER_DOCUMENT_INVALID'
  | 'CHARTER_TERMS_INVALID'
  | 'CHARTER_TESTS_INVALID'
  | 'CHARTER_SPACE_TOO_LARGE';

/** What can be wrong in a charter. Public; meanings never change. */
export const CHARTER_PROBLEM_CODES = [
  'CHARTER_TEXT_TOO_LARGE',
  'CHARTER_YAML_INVALID',
  'CHARTER_ALIAS_REFUSED',
  'CHARTER_KEY_DUPLICATE',
  'CHARTER_NAME_LOOKALIKE',
  'CHARTER_SHAPE_INVALID',
  'CHARTER_KEY_UNKNOWN',
  'CHARTER_NAME_UNKNOWN',
  'CHARTER_NAME_INVALID',
  'CHARTER_INCLUDE_INVALID',
  'CHARTER_VARIABLE_UNKNOWN',
  'CHARTER_VARIABLE_UNSET',
  'CHARTER_VARIABLE_INVALID',
  'CHARTER_ATLAS_DATE_UNKNOWN',
  'CHARTER_HOME_AMBIGUOUS',
  'CHARTER_HOME_CONTRADICTED',
  'CHARTER_MECHANISM_UNRECOGNISED',
  'CHARTER_MECHANISM_EXPIRED',
  'CHARTER_ADEQUACY_ABSENT',
  'CHARTER_ADEQUACY_EXPIRED',
  'CHARTER_RULE_DUPLICATE',
  'CHARTER_RULE_OVERLAPPING',
  'CHARTER_RULE_EMPTY',
  'CHARTER_RULE_DEAD',
  'CHARTER_OBLIGATION_INVALID',
  'CHARTER_PERIOD_INVALID',
] as const;
export type CharterProblemCode = (typeof CHARTER_PROBLEM_CODES)[number];

/** One thing that is wrong, where it is, and what would be right. */
export interface CharterProblem {
  readonly code: CharterProblemCode;
  /** Lower case, without a full stop. */
  readonly message: string;
  /** The file, where the charter includes others. */
  readonly file?: string;
  /** From 1; 0 when the problem is the document as a whole or has no text. */
  readonly line: number;
  /** From 1; 0 as above. */
  readonly column: number;
  /** JSON pointer (RFC 6901) into the document. */
  readonly pointer: string;
  readonly expected?: string;
  /** The nearest name that would be valid. */
  readonly suggestion?: string;
}

/** A problem before its pointer has been turned into a line. */
export type UnplacedProblem = Omit<CharterProblem, 'line' | 'column' | 'file'>;

/** A charter or contract terms that cannot be used. */
export class CharterError extends CodedError<CharterErrorCode> {
  readonly problems: readonly CharterProblem[];

  constructor(
    code: CharterErrorCode,
    message: string,
    options: { readonly problems?: readonly CharterProblem[]; readonly cause?: unknown } = {},
  ) {
    super(code, message, {
      ...(options.cause === undefined ? {} : { cause: options.cause }),
      details: {
        problems: (options.problems ?? []).map((problem) => problem.code),
        problemCount: options.problems?.length ?? 0,
      },
    });
    this.problems = options.problems ?? [];
  }
}
