// SPDX-License-Identifier: Apache-2.0
// Opens the key ring as a cell's configuration says.
import { toTrustDomain } from '@bailiwick/pki';
import type { KeyPorts } from '../assemble.ts';
import { type OpenKeyRing, openKeyRing } from './open-key-ring.ts';

/** The key service is the one of this cell, by its SPIFFE id in the cell's own trust domain. */
export async function openRemoteKeys(ports: KeyPorts): Promise<OpenKeyRing> {
  const { config, clock, random, database, identity, log } = ports;
  const { host, port } = config.keyService;
  const trustDomain = toTrustDomain(identity.spiffeId);
  return openKeyRing({
    cellId: config.cell,
    clock,
    random,
    database,
    identity: config.identity,
    keyService: { host, port, spiffeId: `spiffe://${trustDomain}/key-service/${config.cell}` },
    onProblem: (code) => log.warn('the lease could not be renewed', { code }),
  });
}
