// SPDX-License-Identifier: Apache-2.0
// What the router serves from: the last directory that verified. It is replaced as a whole; without
// control it stays as it is.
import {
  type CellAddress,
  parseRouterDirectory,
  ROUTER_DIRECTORY_PAYLOAD_TYPE,
  type RouterDirectory,
} from '@bailiwick/contracts';
import { type DssePinnedKey, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import type { TokenKey } from '@bailiwick/oidc';
import { RouterError } from './errors.ts';

/** A home: who it is, and its signed entry ready to be sent. */
export interface Home {
  readonly cell: string;
  readonly name: string;
  readonly body: Buffer;
}

/** The routes in force. */
export interface Routes {
  readonly serial: number;
  findCell(serverName: string): CellAddress | undefined;
  findHome(tenantId: string, residency: string): Home | undefined;
  keysOf(issuer: string): readonly TokenKey[];
}

/** Before any directory: nobody is known. */
export const NO_ROUTES: Routes = {
  serial: 0,
  findCell: () => undefined,
  findHome: () => undefined,
  keysOf: () => [],
};

/** Lays a verified directory out for look-ups. */
export function toRoutes(directory: RouterDirectory): Routes {
  const cells = new Map(directory.cells.map((cell) => [cell.name, cell]));
  const names = new Map(directory.cells.map(({ cell, name }) => [cell, name]));
  const homes = new Map<string, Home>();
  for (const { tenantId, residency, cell, envelope } of directory.entries) {
    const name = names.get(cell);
    if (name === undefined) continue;
    const body = Buffer.from(JSON.stringify(envelope));
    homes.set(`${tenantId} ${residency}`, { cell, name, body });
  }
  const keys = new Map<string, TokenKey[]>();
  for (const { issuer, key } of directory.claimKeys) {
    keys.set(issuer, [...(keys.get(issuer) ?? []), parsePinnedKey(key)]);
  }
  return {
    serial: directory.serial,
    findCell: (serverName) => cells.get(serverName),
    findHome: (tenantId, residency) => homes.get(`${tenantId} ${residency}`),
    keysOf: (issuer) => keys.get(issuer) ?? [],
  };
}

/**
 * Verifies a directory's envelope. `envelope` is untrusted, whether it came from control or from disk.
 *
 * @throws {RouterError} `ROUTER_DIRECTORY_REFUSED`
 */
export function verifyRoutes(envelope: unknown, keys: readonly DssePinnedKey[]): Routes {
  try {
    const options = { payloadType: ROUTER_DIRECTORY_PAYLOAD_TYPE, keys };
    return toRoutes(parseRouterDirectory(verifyDsse(envelope, options).payload));
  } catch (cause) {
    throw new RouterError('ROUTER_DIRECTORY_REFUSED', 'the directory does not verify', { cause });
  }
}
