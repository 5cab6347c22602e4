// SPDX-License-Identifier: Apache-2.0
// Who of a tenant may look entries up by a person. Everybody sees the tenant's entries, in which a person is
// a pseudonym; from the application's own id of a person to that pseudonym only these may go.
import { CellError } from '../errors.ts';
import type { Credential } from '../services.ts';

const BY_SUBJECT: readonly string[] = ['privacy-officer', 'tenant-admin', 'auditor'];

/** @throws {CellError} `CELL_ROLE_FORBIDDEN` */
export function requireSubjectSearch(credential: Credential): void {
  if (BY_SUBJECT.includes(credential.role)) return;
  const roles = BY_SUBJECT.join(', ');
  throw new CellError('CELL_ROLE_FORBIDDEN', `only ${roles} may look entries up by a person`);
}
