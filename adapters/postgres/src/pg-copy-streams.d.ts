// SPDX-License-Identifier: Apache-2.0
// The functions of `pg-copy-streams` that are used; the package has no types of its own.
declare module 'pg-copy-streams' {
  import type { Readable, Writable } from 'node:stream';
  import type { Connection, Submittable } from 'pg';

  export function from(statement: string): Writable &
    Submittable & {
      readonly rowCount?: number;
      submit(connection: Connection): void;
    };
  export function to(statement: string): Readable &
    Submittable & {
      readonly rowCount?: number;
      submit(connection: Connection): void;
    };
}
