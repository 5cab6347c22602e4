// SPDX-License-Identifier: Apache-2.0
// Builders for this room's tests: logs in memory that share a key and may differ in one entry, and a
// witness's files.
import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createLogSigner,
  createProver,
  EMPTY_EDGE,
  EMPTY_ROOT,
  extendLog,
  type LogEdge,
  type LogHead,
  toAddCheckpointText,
  toVerifierKeyText,
  type VerifierKey,
} from '@bailiwick/ledger';
import { stringify } from 'yaml';
import { prepareStateDirectory } from './file-store.ts';

export const ORIGIN = 'eu-de/main/ledger/1';

/** A new Ed25519 key as PEM. */
export function toPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** A log in memory whose checkpoints of every size up to its own can be asked for. */
export interface ALog {
  readonly key: VerifierKey;
  checkpoint(size: number): string;
  root(size: number): Uint8Array;
  /** A whole request. */
  request(oldSize: number, size: number): Promise<string>;
}

/** A log of `size` entries signed with this key; entries from `fork` on are another history's. */
export function aLog(
  privateKey: KeyObject,
  options: { readonly size: number; readonly fork?: number; readonly origin?: string },
): ALog {
  const { size, fork = size, origin = ORIGIN } = options;
  const signer = createLogSigner({ origin, privateKey });
  const tiles = new Map<string, Uint8Array>();
  const heads: LogHead[] = [{ epoch: 1, size: 0, root: EMPTY_ROOT }];
  let edge: LogEdge = EMPTY_EDGE;
  for (let index = 0; index < size; index += 1) {
    const leaf = createHash('sha256')
      .update(`${index >= fork ? 'other' : 'one'} ${index}`)
      .digest();
    const head = heads[index] ?? { epoch: 1, size: 0, root: EMPTY_ROOT };
    const extension = extendLog(head, edge, leaf);
    heads.push(extension.head);
    edge = extension.edge;
    for (const tile of extension.tiles) tiles.set(`${tile.level}/${tile.index}`, tile.bytes);
  }
  const headAt = (at: number): LogHead => {
    const head = heads[at];
    if (head === undefined) throw new Error('no such size');
    return head;
  };
  const prover = createProver(
    async ({ level, index }) => tiles.get(`${level}/${index}`) ?? new Uint8Array(0),
  );
  const checkpoint = (at: number): string => signer.signCheckpoint(headAt(at));
  return {
    key: signer.verifierKey,
    checkpoint,
    root: (at) => headAt(at).root,
    async request(oldSize, at) {
      const isPlain = oldSize === 0 || oldSize >= at;
      const hashes = isPlain ? [] : await prover.proveConsistency({ oldSize, size: at });
      return toAddCheckpointText({ oldSize, hashes, checkpoint: checkpoint(at) });
    },
  };
}

/** A witness's files in a new directory. */
export function someFiles(
  logs: readonly VerifierKey[],
  overrides: Readonly<Record<string, unknown>> = {},
): { readonly directory: string; readonly config: string; readonly state: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-witness-'));
  const at = (name: string): string => path.join(directory, name);
  mkdirSync(at('logs'));
  writeFileSync(at('key.pem'), toPem(generateKeyPairSync('ed25519').privateKey), { mode: 0o600 });
  prepareStateDirectory(at('state'));
  const tree = {
    name: 'witness.example/w1',
    keyFile: 'key.pem',
    listen: { host: '127.0.0.1', port: 0 },
    state: 'state',
    logs: [...new Set(logs.map(toVerifierKeyText))],
    telemetry: { directory: 'logs', level: 'debug' },
    ...overrides,
  };
  writeFileSync(at('witness.yaml'), stringify(tree));
  return { directory, config: at('witness.yaml'), state: at('state') };
}
