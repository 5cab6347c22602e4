// SPDX-License-Identifier: Apache-2.0
// Carries signed statements to another cell's internal listener or to the control plane, over mTLS to
// exactly the identity that the bundle names. It carries nothing else and knows nothing of their content.
import type { TransferRequest } from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import type { DsseEnvelope } from '@bailiwick/keys';
import type { Identity } from '@bailiwick/pki';
import { openPeerClient, type PeerAnswer, type PeerClient } from '../control/peer-client.ts';
import { CellError } from '../errors.ts';
import type { CellLaw } from '../law/law.ts';

/** The destination's entry, where it is a cell. */
export interface RemoteReceipt {
  readonly entryId: string;
  readonly leafHash: string;
}

export interface Courier {
  /**
   * Resolves when the destination has taken the statement, for the first time or again.
   *
   * @throws {CellError} `DELIVERY_REFUSED` for good, `PEER_UNREACHABLE` for now
   */
  deliver(
    destination: TransferRequest['destination'],
    statement: DsseEnvelope,
  ): Promise<RemoteReceipt | undefined>;
  /**
   * Sends a piece of a transfer to another cell and gives its answer.
   *
   * @throws {CellError} `DELIVERY_REFUSED` for good, `PEER_UNREACHABLE` for now
   */
  send(
    cell: string,
    piece: { readonly path: string; readonly body: unknown; readonly timeoutMs?: number },
  ): Promise<unknown>;
  close(): Promise<void>;
}

const DELIVERY_MS_MAX = 10_000;
/** A chunk is sealed and written before it is answered. */
const PIECE_MS_MAX = 30_000;
const TRIED_AGAIN: ReadonlySet<number> = new Set([404, 408, 409, 421, 423, 425, 429]);

/** Makes the courier; connections to cells are opened when first needed. */
export function createCourier(ports: {
  readonly identity: Identity;
  readonly control: PeerClient;
  readonly law: CellLaw;
}): Courier {
  const cells = new Map<string, PeerClient>();
  const clientOf = (id: string): PeerClient => {
    const cell = ports.law.current().findCell(parseCellId(id));
    if (cell === undefined) {
      throw new CellError('PEER_UNREACHABLE', 'the bundle in force does not name this cell');
    }
    const url = `https://${cell.internal.host}:${cell.internal.port}`;
    const key = `${cell.spiffeId} ${url}`;
    const found = cells.get(key);
    if (found !== undefined) return found;
    const client = openPeerClient(ports.identity, { url, spiffeId: cell.spiffeId });
    cells.set(key, client);
    return client;
  };
  return {
    async deliver({ kind, id = '' }, statement) {
      const client = kind === 'control' ? ports.control : clientOf(id);
      const answer = await client.call({
        method: 'POST',
        path: kind === 'control' ? '/v1/deliveries' : '/internal/v1/deliveries',
        body: statement,
        timeoutMs: DELIVERY_MS_MAX,
      });
      assertTaken(answer);
      return kind === 'control' ? undefined : toReceipt(parseJson(answer.body));
    },
    async send(cell, { path, body, timeoutMs = PIECE_MS_MAX }) {
      const answer = await clientOf(cell).call({ method: 'PUT', path, body, timeoutMs });
      assertTaken(answer);
      return parseJson(answer.body);
    },
    async close() {
      await Promise.all([...cells.values()].map((client) => client.close()));
    },
  };
}

function assertTaken({ status, body }: PeerAnswer): void {
  if (status >= 200 && status < 300) return;
  // A destination whose law is out of date, as after a start, has not refused: that passes.
  if (status >= 500 || TRIED_AGAIN.has(status) || isStale(body)) {
    throw new CellError('PEER_UNREACHABLE', 'the destination cannot take it now', {
      details: { status },
    });
  }
  throw new CellError('DELIVERY_REFUSED', 'the destination has refused the delivery', {
    details: { status },
  });
}

function isStale(body: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return (
      typeof value === 'object' &&
      value !== null &&
      'cause' in value &&
      value.cause === 'charter-stale'
    );
  } catch {
    return false;
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new CellError('PEER_UNREACHABLE', 'the destination gave no receipt');
  }
}

/** The entry of a destination's answer. @throws {CellError} `PEER_UNREACHABLE` */
export function toReceipt(value: unknown): RemoteReceipt {
  const { entryId, leafHash } = Object(value) as Partial<Record<keyof RemoteReceipt, unknown>>;
  if (typeof entryId !== 'string' || !UUID.test(entryId) || typeof leafHash !== 'string') {
    throw new CellError('PEER_UNREACHABLE', 'the destination gave no receipt');
  }
  if (!HASH.test(leafHash)) {
    throw new CellError('PEER_UNREACHABLE', 'the destination gave no receipt');
  }
  return { entryId, leafHash };
}
