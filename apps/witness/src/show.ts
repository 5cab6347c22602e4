// SPDX-License-Identifier: Apache-2.0
// What a witness has seen, read from its state; a witness that runs meanwhile is not disturbed.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { WitnessConfig } from '@bailiwick/contracts';
import {
  parseCheckpoint,
  parseNote,
  parseVerifierKey,
  toVerifierKeyText,
  verifyNote,
} from '@bailiwick/ledger';
import { openFileWitnessStore } from './file-store.ts';
import { readCosigner } from './witness-process.ts';

export interface SeenLog {
  readonly origin: string;
  readonly size?: number;
  /** Lower-case hex. */
  readonly root?: string;
  /** RFC 3339 in UTC. */
  readonly at?: string;
}

export interface SeenLogs {
  readonly name: string;
  readonly verifierKey: string;
  readonly evidenceCount: number;
  readonly logs: readonly SeenLog[];
}

/** Reads what was cosigned last of each log. @throws {LedgerError} when the state is not its own */
export async function showWitness(config: WitnessConfig): Promise<SeenLogs> {
  const { verifierKey } = readCosigner(config);
  const store = openFileWitnessStore(config.state);
  const origins = new Set(config.logs.map((text) => parseVerifierKey(text).name));
  const logs: SeenLog[] = [];
  for (const origin of origins) {
    const found = await store.find(origin);
    if (found === undefined) {
      logs.push({ origin });
      continue;
    }
    const { text, signers } = verifyNote(parseNote(found.note), [verifierKey]);
    const { size, root } = parseCheckpoint(text);
    const atSeconds = Math.max(...signers.map((signer) => signer.atSeconds ?? 0));
    const at = new Date(atSeconds * 1000).toISOString();
    logs.push({ origin, size, root: Buffer.from(root).toString('hex'), at });
  }
  const evidenceCount = readdirSync(path.join(config.state, 'evidence')).length;
  return { name: config.name, verifierKey: toVerifierKeyText(verifierKey), evidenceCount, logs };
}
