// SPDX-License-Identifier: Apache-2.0
// Who of a tenant may do what concerns people's rights. Holds, orders and restrictions move no data, so
// they are no flows; the roles are the charter's by name. What a person has agreed to is written by
// whoever may change their data.
import type { Action } from '@bailiwick/kernel';
import { CellError } from '../errors.ts';
import type { CellServices, Credential, EntryDraft, FlowRequest } from '../services.ts';

const DECIDING: readonly string[] = ['privacy-officer', 'tenant-admin'];
const SEEING: readonly string[] = [...DECIDING, 'auditor'];

function requireRole(credential: Credential, roles: readonly string[], what: string): void {
  if (!roles.includes(credential.role)) {
    throw new CellError('CELL_ROLE_FORBIDDEN', `only ${roles.join(', ')} may ${what}`);
  }
  if (credential.kind === 'person' && credential.assurance === 'low') {
    throw new CellError('CELL_ROLE_FORBIDDEN', 'this needs a sign-in of substantial assurance');
  }
}

/** @throws {CellError} `CELL_ROLE_FORBIDDEN` */
export function requireRightsRole(credential: Credential): void {
  requireRole(credential, DECIDING, 'decide about people’s rights');
}

/** @throws {CellError} `CELL_ROLE_FORBIDDEN` */
export function requireRightsSight(credential: Credential): void {
  requireRole(credential, SEEING, 'see what holds of people');
}

type Permit = Pick<EntryDraft, 'actor' | 'flow' | 'decision'>;

type Wanted = Pick<FlowRequest, 'action' | 'purpose' | 'categories' | 'standing' | 'subjectId'> & {
  /** Where the person's data is from; absent: it could be any that has its home here. */
  readonly origins?: readonly string[];
};

/** One request for each origin that has its home here: nothing says yet where a person's data is from. */
function toRequests(
  services: CellServices,
  credential: Credential,
  wanted: Wanted,
): readonly FlowRequest[] {
  const { charter } = services.law.current();
  const cell = charter.cells.find(({ id }) => id === services.cellId);
  if (cell === undefined) {
    throw new CellError('CELL_ROLE_FORBIDDEN', 'the charter does not know this cell');
  }
  const { location, operator } = cell;
  const to = { kind: 'cell', id: services.cellId, location, operator } as const;
  const requests: FlowRequest[] = [];
  for (const [origin, home] of charter.homes) {
    if (!home.ok || home.cellId !== services.cellId) continue;
    if (wanted.origins !== undefined && !wanted.origins.includes(origin)) continue;
    const { residency } = credential;
    const { origins: _origins, ...request } = wanted;
    requests.push({
      ...request,
      class: 'restricted',
      regimes: home.regimes,
      origin,
      residency,
      to,
    });
  }
  return requests;
}

/**
 * Decides what is done to a person's data as a whole, for all origins; the first flow stands in the entry.
 *
 * @throws {DenialError}
 */
export async function requireAboutPerson(
  services: CellServices,
  credential: Credential,
  wanted: {
    readonly action: Extract<Action, 'erase' | 'update'>;
    readonly purpose: string;
    readonly categories: readonly string[];
  } & Pick<Wanted, 'standing' | 'subjectId' | 'origins'>,
): Promise<Permit> {
  let permit: Permit | undefined;
  for (const request of toRequests(services, credential, wanted)) {
    const decided = await services.enforcement.require(credential, request);
    permit ??= services.enforcement.toDraft(credential, decided);
  }
  if (permit !== undefined) return permit;
  throw new CellError('CELL_ROLE_FORBIDDEN', 'the charter gives this cell no data of people');
}
