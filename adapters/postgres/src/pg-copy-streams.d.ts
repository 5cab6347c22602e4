// SPDX-License-Identifier: Apache-2.0
// The one function of `pg-copy-streams` that is used; the package has no types of its own.
declare module 'pg-copy-streams' {
  import type { Writable } from 'node:stream';
  import type { Connection, Submittable } from 'pg';

  export function from(statement: string): Writable &
    Submittable & {
      submit(connection: Connection): void;
    };
}
