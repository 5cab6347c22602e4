// SPDX-License-Identifier: Apache-2.0
import { CodedError, type CodedErrorOptions } from '@bailiwick/kernel';

/** Codes of this room. */
export type CliErrorCode =
  | 'CLI_USAGE_WRONG'
  | 'CLI_CONFIG_INVALID'
  | 'CLI_CONFIG_ABSENT'
  | 'CLI_FILE_UNREADABLE'
  | 'CLI_MAPPING_INVALID'
  | 'CLI_INPUT_REFUSED'
  | 'CLI_APPROVAL_MISSING'
  | 'CLI_STATE_IN_USE'
  | 'CLI_PORT_BUSY'
  | 'CLI_DISK_FULL'
  | 'CLI_PERMISSION_MISSING'
  | 'CLI_CHILD_ENDED'
  | 'CLI_CHILD_LATE'
  | 'CLI_STORY_BROKEN'
  | 'CLI_RESTORE_FAILED'
  | 'CLI_INTERRUPTED';

/** A failure of the command: one line, and where there is one, the next thing to do. */
export class CliError extends CodedError<CliErrorCode> {
  readonly hint: string | undefined;

  constructor(
    code: CliErrorCode,
    message: string,
    options: CodedErrorOptions & { readonly hint?: string } = {},
  ) {
    super(code, message, options);
    this.hint = options.hint;
  }
}
