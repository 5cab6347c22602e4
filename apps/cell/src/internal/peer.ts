// SPDX-License-Identifier: Apache-2.0
// Who is on the other side of the internal listener, by SPIFFE id. Everybody else is cut off before a
// request is read; what each may do stands in the routes.
import { type CellId, parseCellId } from '@bailiwick/kernel';
import { peerOf, type SpiffeId } from '@bailiwick/pki';
import type { FastifyRequest } from 'fastify';
import { CellError } from '../errors.ts';

/** The kinds of callers. */
export type Peer =
  | { readonly kind: 'cell'; readonly cell: CellId }
  | { readonly kind: 'operator'; readonly name: string }
  | { readonly kind: 'control' };

/** Reads what a SPIFFE id is here; `undefined` for one that has no business here. */
export function findPeer(spiffeId: SpiffeId): Peer | undefined {
  const [, , , kind = '', ...rest] = spiffeId.split('/');
  if (kind === 'control' && rest.length === 0) return { kind: 'control' };
  if (kind === 'operator' && rest.length === 1) return { kind: 'operator', name: rest[0] ?? '' };
  if (kind !== 'cell' || rest.length !== 2) return undefined;
  try {
    return { kind: 'cell', cell: parseCellId(rest.join('/')) };
  } catch {
    return undefined;
  }
}

function getPeer(request: FastifyRequest): Peer {
  const peer = findPeer(peerOf(request.raw.socket));
  if (peer !== undefined) return peer;
  throw new CellError('PEER_FORBIDDEN', 'this identity has no business here');
}

/** Demands an operator and gives the name in its identity. @throws {CellError} `PEER_FORBIDDEN` */
export function requireOperator(request: FastifyRequest): string {
  const peer = getPeer(request);
  if (peer.kind === 'operator') return peer.name;
  throw new CellError('PEER_FORBIDDEN', 'only an operator may do this');
}

/** Demands another cell and gives its id. @throws {CellError} `PEER_FORBIDDEN` */
export function requireCell(request: FastifyRequest): CellId {
  const peer = getPeer(request);
  if (peer.kind === 'cell') return peer.cell;
  throw new CellError('PEER_FORBIDDEN', 'only a cell may do this');
}
