// SPDX-License-Identifier: Apache-2.0
// A witness in this process: key, state and logs of a configuration put together, listening.
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { WitnessConfig } from '@bailiwick/contracts';
import {
  type Cosigner,
  createCosigner,
  createWitness,
  LedgerError,
  parseVerifierKey,
  SIGNATURE_TYPES,
  toVerifierKeyText,
  type VerifierKey,
} from '@bailiwick/ledger';
import type { Log } from '@bailiwick/telemetry';
import { WitnessError } from './errors.ts';
import { openFileWitnessStore } from './file-store.ts';
import { createWitnessServer } from './server.ts';

/** A running witness. */
export interface WitnessProcess {
  readonly port: number;
  /** With this key others check its cosignatures (C2SP vkey). */
  readonly verifierKey: string;
  close(): Promise<void>;
}

/** Reads the witness's key. @throws {WitnessError} `WITNESS_CONFIG_INVALID` */
export function readCosigner({ name, keyFile }: Pick<WitnessConfig, 'name' | 'keyFile'>): Cosigner {
  try {
    return createCosigner({ name, privateKey: createPrivateKey(readFileSync(keyFile, 'utf8')) });
  } catch (cause) {
    const problem = `\`${keyFile}\` holds no ed25519 private key in PEM`;
    throw new WitnessError('WITNESS_CONFIG_INVALID', problem, { cause });
  }
}

function readLogs(texts: readonly string[], own: VerifierKey): readonly VerifierKey[] {
  return texts.map((text) => {
    try {
      const key = parseVerifierKey(text);
      if (key.type !== SIGNATURE_TYPES.ed25519) {
        throw new LedgerError('LEDGER_KEY_INVALID', 'expected the key of a log, type 0x01');
      }
      if (Buffer.compare(key.publicKey, own.publicKey) === 0) {
        throw new LedgerError('LEDGER_KEY_INVALID', 'a witness must not share its key with a log');
      }
      return key;
    } catch (cause) {
      if (!(cause instanceof LedgerError)) throw cause;
      const problem = `a key in \`logs\`: ${cause.message}`;
      throw new WitnessError('WITNESS_CONFIG_INVALID', problem, { cause });
    }
  });
}

/**
 * Opens a witness and listens.
 *
 * @throws {WitnessError} `WITNESS_CONFIG_INVALID`, `WITNESS_STATE_MISSING`
 */
export async function openWitnessProcess(config: WitnessConfig, log: Log): Promise<WitnessProcess> {
  const cosigner = readCosigner(config);
  const store = openFileWitnessStore(config.state);
  const witness = createWitness({
    cosigner,
    store,
    logs: readLogs(config.logs, cosigner.verifierKey),
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
  });
  const server = createWitnessServer({ witness, evidence: store, log }, config);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.listen.port, config.listen.host, resolve);
  });
  server.on('error', (error) => log.error('listener failed', { error }));
  const address = server.address();
  if (typeof address !== 'object' || address === null) {
    throw new WitnessError('WITNESS_CONFIG_INVALID', 'the listener has no port');
  }
  return {
    port: address.port,
    verifierKey: toVerifierKeyText(cosigner.verifierKey),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}
