// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '@bailiwick/kernel';

/** Codes of this room. */
export type PostgresErrorCode =
  | 'POSTGRES_PLATFORM_UNSUPPORTED'
  | 'POSTGRES_ACCOUNT_UNAVAILABLE'
  | 'POSTGRES_DIRECTORY_INVALID'
  | 'POSTGRES_DIRECTORY_IN_USE'
  | 'POSTGRES_DIRECTORY_FORBIDDEN'
  | 'POSTGRES_VERSION_UNSUPPORTED'
  | 'POSTGRES_PORT_BUSY'
  | 'POSTGRES_DISK_FULL'
  | 'POSTGRES_START_FAILED'
  | 'POSTGRES_URL_INVALID'
  | 'POSTGRES_UNREACHABLE'
  | 'POSTGRES_ROLE_UNSAFE'
  | 'POSTGRES_PASSWORD_INVALID'
  | 'POSTGRES_MIGRATION_CHANGED'
  | 'POSTGRES_MIGRATION_FAILED';

/** A failure of the database or of the way to it. Never carries a statement, a parameter or a row. */
export class PostgresError extends CodedError<PostgresErrorCode> {}
