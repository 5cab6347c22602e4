// SPDX-License-Identifier: Apache-2.0
// Who of a tenant may see and turn its keys. Key actions move no data, so they are no flows and the
// charter's rules do not speak of them; the roles are the charter's by name.
import { CellError } from '../errors.ts';
import type { Credential } from '../services.ts';

const TURNING: readonly string[] = ['security-officer', 'tenant-admin'];
const SEEING: readonly string[] = [...TURNING, 'privacy-officer', 'auditor'];

function requireRole(credential: Credential, roles: readonly string[], what: string): void {
  if (!roles.includes(credential.role)) {
    throw new CellError('CELL_ROLE_FORBIDDEN', `only ${roles.join(', ')} may ${what}`);
  }
  if (credential.kind === 'person' && credential.assurance === 'low') {
    throw new CellError('CELL_ROLE_FORBIDDEN', 'keys need a sign-in of substantial assurance');
  }
}

/** @throws {CellError} `CELL_ROLE_FORBIDDEN` */
export function requireKeySight(credential: Credential): void {
  requireRole(credential, SEEING, 'see keys');
}

/** @throws {CellError} `CELL_ROLE_FORBIDDEN` */
export function requireKeyTurn(credential: Credential): void {
  requireRole(credential, TURNING, 'disable and enable keys');
}
