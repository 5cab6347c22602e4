// SPDX-License-Identifier: Apache-2.0
// Who is on the other side, by SPIFFE id: cells, routers and operators. What each may do stands in the
// routes; everybody else is cut off before a request is read.
import { type CellId, parseCellId } from '@bailiwick/kernel';
import { peerOf, type SpiffeId } from '@bailiwick/pki';
import type { FastifyRequest } from 'fastify';
import { ControlError } from './errors.ts';

/** The kinds of callers. */
export type Peer =
  | { readonly kind: 'cell'; readonly cell: CellId }
  | { readonly kind: 'router' }
  | { readonly kind: 'operator'; readonly spiffeId: SpiffeId };

/** Reads what a SPIFFE id is here; `undefined` for one that has no business here. */
export function findPeer(spiffeId: SpiffeId): Peer | undefined {
  const [, , , kind = '', ...rest] = spiffeId.split('/');
  if (kind === 'router' && rest.length === 0) return { kind: 'router' };
  if (kind === 'operator' && rest.length === 1) return { kind: 'operator', spiffeId };
  if (kind !== 'cell' || rest.length !== 2) return undefined;
  try {
    return { kind: 'cell', cell: parseCellId(rest.join('/')) };
  } catch {
    return undefined;
  }
}

/** The caller of a request. @throws {ControlError} `CONTROL_PEER_FORBIDDEN` */
export function getPeer(request: FastifyRequest): Peer {
  const peer = findPeer(peerOf(request.raw.socket));
  if (peer === undefined) throw new ControlError('CONTROL_PEER_FORBIDDEN', 'unknown kind of peer');
  return peer;
}

/** Demands an operator and gives its id. @throws {ControlError} `CONTROL_PEER_FORBIDDEN` */
export function requireOperator(request: FastifyRequest): SpiffeId {
  const peer = getPeer(request);
  if (peer.kind === 'operator') return peer.spiffeId;
  throw new ControlError('CONTROL_PEER_FORBIDDEN', 'only an operator may do this');
}

/** Demands a cell, and this very one where it is named. @throws {ControlError} `CONTROL_PEER_FORBIDDEN` */
export function requireCell(request: FastifyRequest, cell?: CellId): CellId {
  const peer = getPeer(request);
  if (peer.kind === 'cell' && (cell === undefined || peer.cell === cell)) return peer.cell;
  throw new ControlError('CONTROL_PEER_FORBIDDEN', 'only that cell may do this');
}

/** Demands a router. @throws {ControlError} `CONTROL_PEER_FORBIDDEN` */
export function requireRouter(request: FastifyRequest): void {
  if (getPeer(request).kind === 'router') return;
  throw new ControlError('CONTROL_PEER_FORBIDDEN', 'only a router may do this');
}
