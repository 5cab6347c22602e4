// SPDX-License-Identifier: Apache-2.0
// Asks one witness for its cosignature (c2sp.org/tlog-witness, add-checkpoint). What goes out is an old
// size, a proof of hashes and a signed checkpoint, nothing else; what comes back counts by its signature.
import { readFileSync } from 'node:fs';
import type { CosignerConfig } from '@bailiwick/contracts';
import { parseCellId } from '@bailiwick/kernel';
import { parseVerifierKey, type VerifierKey } from '@bailiwick/ledger';
import { createMtlsConnector, type Identity } from '@bailiwick/pki';
import { Pool } from 'undici';
import { CellError } from '../errors.ts';
import type { CellLaw } from '../law/law.ts';
import { ANSWER_SIZE_BYTES_MAX } from './limits.ts';

export interface WitnessReply {
  readonly status: number;
  readonly body: string;
}

/** The way to one witness. */
export interface WitnessClient {
  readonly key: VerifierKey;
  /** @throws {CellError} `PEER_UNREACHABLE` */
  addCheckpoint(body: string, options: { readonly signal: AbortSignal }): Promise<WitnessReply>;
  /**
   * What it last cosigned of a log, by the SHA-256 of its origin; 404 where it cosigned none.
   *
   * @throws {CellError} `PEER_UNREACHABLE`
   */
  readCheckpoint(
    originHash: string,
    options: { readonly signal: AbortSignal },
  ): Promise<WitnessReply>;
  close(): Promise<void>;
}

export interface WitnessClientPorts {
  readonly identity: Identity;
  readonly law: Pick<CellLaw, 'find'>;
}

interface Way {
  readonly pool: Pool;
  /** What stands before the protocol's own paths. */
  readonly prefix: string;
}

/** Opens the way to a configured witness. @throws {LedgerError} `LEDGER_KEY_INVALID` */
export function openWitnessClient(
  ports: WitnessClientPorts,
  config: CosignerConfig,
): WitnessClient {
  const key = parseVerifierKey(config.key);
  const way = config.kind === 'cell' ? createCellWay(ports, config) : createExternalWay(config);
  const request = async (
    options: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: string },
    signal: AbortSignal,
  ): Promise<WitnessReply> => {
    const { pool, prefix } = way.find();
    try {
      const response = await pool.request({
        ...options,
        path: `${prefix}${options.path}`,
        signal,
        headers: options.body === undefined ? {} : { 'content-type': 'text/plain; charset=utf-8' },
      });
      return { status: response.statusCode, body: await readText(response.body) };
    } catch (cause) {
      if (cause instanceof CellError) throw cause;
      throw new CellError('PEER_UNREACHABLE', 'the witness does not answer', { cause });
    }
  };
  return {
    key,
    addCheckpoint: (body, { signal }) =>
      request({ method: 'POST', path: '/add-checkpoint', body }, signal),
    readCheckpoint: (originHash, { signal }) =>
      request({ method: 'GET', path: `/${originHash}/checkpoint` }, signal),
    close: () => way.close(),
  };
}

interface WayFinder {
  find(): Way;
  close(): Promise<void>;
}

/** A cell's internal listener, where the bundle in force says that it is. */
function createCellWay(
  { identity, law }: WitnessClientPorts,
  config: Extract<CosignerConfig, { readonly kind: 'cell' }>,
): WayFinder {
  const cellId = parseCellId(config.cell);
  let opened: { readonly address: string; readonly pool: Pool } | undefined;
  return {
    find() {
      const cell = law.find()?.findCell(cellId);
      if (cell === undefined) {
        throw new CellError('PEER_UNREACHABLE', 'the bundle in force does not name this cell');
      }
      const { internal, spiffeId } = cell;
      const address = `https://${internal.host}:${internal.port} ${spiffeId}`;
      if (opened?.address !== address) {
        void opened?.pool.destroy();
        const connect = createMtlsConnector(identity, { expect: spiffeId });
        const options = { connections: 2, pipelining: 1, connect };
        const pool = new Pool(`https://${internal.host}:${internal.port}`, options);
        opened = { address, pool };
      }
      return { pool: opened.pool, prefix: '/internal/v1/witness' };
    },
    async close() {
      await opened?.pool.destroy();
    },
  };
}

function createExternalWay(
  config: Extract<CosignerConfig, { readonly kind: 'external' }>,
): WayFinder {
  const url = new URL(config.url);
  const read = (file: string | undefined): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file);
  const ca = read(config.caFile);
  const cert = read(config.certFile);
  const key = read(config.keyFile);
  const pool = new Pool(url.origin, {
    connections: 2,
    pipelining: 1,
    connect: {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    },
  });
  const prefix = url.pathname.replace(/\/$/, '');
  return { find: () => ({ pool, prefix }), close: () => pool.destroy() };
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_SIZE_BYTES_MAX) {
      throw new CellError('PEER_UNREACHABLE', 'the answer is larger than expected');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, sizeBytes).toString('utf8');
}
