// SPDX-License-Identifier: Apache-2.0
// The base of every failure in the system and the two ways to state an assumption.
// Answers (denied, not found, expired) are values and never thrown: see `decision.ts`.

/** What may stand beside an error's code: numbers, booleans, ids and names; never a personal value. */
export type ErrorDetails = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface CodedErrorOptions {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
}

/**
 * A failure with a public, stable code `<ROOM>_<NOUN>_<PROBLEM>`.
 *
 * Compare `code`, not `instanceof`: two copies of a package can be loaded. Messages are lower case,
 * without full stop or line break, and hold no secret and no personal value.
 */
export class CodedError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails;

  constructor(code: Code, message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** Codes of this room. */
export type KernelErrorCode =
  | 'KERNEL_ID_INVALID'
  | 'KERNEL_SEAL_INVALID'
  | 'KERNEL_JSON_INVALID'
  | 'KERNEL_INSTANT_INVALID';

export class KernelError extends CodedError<KernelErrorCode> {}

/** True when `error` is a failure of ours with this code, whichever copy of a package threw it. */
export function isCoded<Code extends string>(
  error: unknown,
  code: Code,
): error is CodedError<Code> {
  return error instanceof Error && 'code' in error && error.code === code;
}

/** States what must hold; a false assumption is a bug and stops the operation. */
export function assert(condition: unknown, shouldHold: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${shouldHold}`);
}

/** Ends a `switch` over a closed union. */
export function assertNever(value: never): never {
  throw new Error(`assertion failed: no case for \`${String(value)}\``);
}
