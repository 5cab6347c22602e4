// SPDX-License-Identifier: Apache-2.0
// What tests of restores stand on: a witness of somebody else over HTTP, and cells over databases that a
// test made.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import {
  createCosigner,
  createLogSigner,
  createWitness,
  parseVerifierKey,
  toVerifierKeyText,
  type Witness,
  type WitnessedCheckpoint,
} from '@bailiwick/ledger';

export const newLedgerKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;

/** The vkey of a cell's log. */
export function toLogKey(origin: string, privateKey: KeyObject): string {
  return toVerifierKeyText(createLogSigner({ origin, privateKey }).verifierKey);
}

/** A witness that a test can silence. */
export interface Auditor {
  readonly witness: Witness;
  readonly key: string;
  readonly url: string;
  isSilent: boolean;
  /** The `witnesses` section of a cell whose only cosigner this is. */
  readonly section: Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

/** Starts a witness of these logs, with its memory in this process. */
export async function startAuditor(logs: readonly string[]): Promise<Auditor> {
  const kept = new Map<string, WitnessedCheckpoint>();
  const witness = createWitness({
    cosigner: createCosigner({ name: 'auditor.example/w1', privateKey: newLedgerKey() }),
    logs: logs.map(parseVerifierKey),
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    store: {
      find: async (origin) => kept.get(origin),
      async advance(origin, next) {
        if ((kept.get(origin)?.version ?? 0) !== next.version - 1) return false;
        kept.set(origin, next);
        return true;
      },
    },
  });
  const auditor = { isSilent: false };
  const server: Server = createServer(async (request, response) => {
    if (auditor.isSilent) return void request.socket.destroy();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const asked = /^\/([0-9a-f]{64})\/checkpoint$/.exec(request.url ?? '')?.[1];
    if (asked !== undefined) {
      const note = await witness.findCheckpoint(asked);
      return void response.writeHead(note === undefined ? 404 : 200).end(note ?? '');
    }
    const answer = await witness.addCheckpoint(Buffer.concat(chunks));
    return void response
      .writeHead(answer.status, { 'content-type': answer.contentType })
      .end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const key = toVerifierKeyText(witness.verifierKey);
  const url = `http://127.0.0.1:${port}`;
  return Object.assign(auditor, {
    ...{ witness, key, url },
    section: {
      logs: [],
      cosigners: [{ kind: 'external', key, url }],
      quorum: 1,
      intervalMs: 1_000,
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  });
}
