// SPDX-License-Identifier: Apache-2.0
// A cell and witnesses, both ways: who cosigns its checkpoints, and whose it cosigns.
import { createPrivateKey } from 'node:crypto';
import type { CellConfig } from '@bailiwick/contracts';
import type { Clock, Random } from '@bailiwick/kernel';
import {
  type CosignedTime,
  createCosigner,
  createWitness,
  LedgerError,
  parseVerifierKey,
  type VerifierKey,
  verifyCheckpoint,
  type Witness,
} from '@bailiwick/ledger';
import type { Identity } from '@bailiwick/pki';
import { createPostgresWitnessStore, type Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { readSecretFile } from '../config.ts';
import { CellError } from '../errors.ts';
import type { CellLaw } from '../law/law.ts';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import { type CosignedCheckpoint, findCosigned, listCosignedNotes } from './cosigned-store.ts';
import { openWitnessClient, type WitnessClient } from './witness-client.ts';
import { createWitnessRounds, type WitnessRounds } from './witness-rounds.ts';

/** Default of `witnesses.quorum`, for a cell without the section. */
const QUORUM = 2;

export interface CellWitnesses {
  /** Cosigns for others; absent where the configuration has no key for it. */
  readonly witness: Witness | undefined;
  readonly rounds: WitnessRounds;
  /** False where nobody is configured to cosign. */
  readonly hasCosigners: boolean;
  /** The ways to those who cosign this cell's checkpoints. */
  readonly clients: readonly WitnessClient[];
  /** Cosignatures that a checkpoint should have. */
  readonly quorum: number;
  /** Times at which witnesses cosigned this ledger, each with its size, by their own signatures. */
  listTimes(): Promise<readonly CosignedTime[]>;
  /** This cell's newest checkpoint with cosignatures. */
  findCosigned(): Promise<CosignedCheckpoint | undefined>;
}

/** The name under which a cell cosigns. */
export function toWitnessName(cell: string): string {
  return `${cell}/witness`;
}

/** Puts it together; nothing runs before `rounds.start`. @throws {CellError} `CELL_CONFIG_INVALID` */
export function openCellWitnesses(
  ports: {
    readonly config: CellConfig;
    readonly ledger: CellLedger;
    readonly database: Database;
    readonly identity: Identity;
    readonly law: CellLaw;
    readonly clock: Clock;
    readonly random: Random;
    readonly log: Log;
  },
  /** Copies the ledger out of the database; what it covers may be shown to witnesses. */
  copy?: { reach(size: number): Promise<void> },
): CellWitnesses {
  const { config, ledger, database } = ports;
  const { cosigners = [], intervalMs = 1000, quorum = QUORUM } = config.witnesses ?? {};
  const clients = cosigners.map((cosigner) => openWitnessClient(ports, cosigner));
  const { epoch } = ledger;
  return {
    witness: openWitness(ports),
    rounds: createWitnessRounds({ ...ports, clients, copy }, { intervalMs }),
    hasCosigners: clients.length > 0,
    clients,
    quorum,
    findCosigned: () => findCosigned(database, { epoch, quorum }),
    async listTimes() {
      const keys = cosigners.map(({ key }) => parseVerifierKey(key));
      const notes = await listCosignedNotes(database, epoch);
      return notes.flatMap((note) => toTimes(note, { log: ledger.verifierKey, witnesses: keys }));
    },
  };
}

function openWitness({
  config,
  ledger,
  database,
  clock,
}: Parameters<typeof openCellWitnesses>[0]): Witness | undefined {
  const { keyFile, logs = [] } = config.witnesses ?? {};
  if (keyFile === undefined) return undefined;
  const privateKey = createPrivateKey(readSecretFile(keyFile));
  const cosigner = createCosigner({ name: toWitnessName(config.cell), privateKey });
  // A key is for one thing (c2sp.org/tlog-cosignature): a cell's ledger key never cosigns.
  if (Buffer.compare(cosigner.verifierKey.publicKey, ledger.verifierKey.publicKey) === 0) {
    throw new CellError('CELL_CONFIG_INVALID', '`witnesses.keyFile` must not be the ledger’s key');
  }
  const store = createPostgresWitnessStore(database.pool);
  return createWitness({ cosigner, logs: logs.map(parseVerifierKey), store, clock });
}

/** What the witnesses said of one note; of a note that does not verify nothing is believed. */
function toTimes(
  note: string,
  keys: { readonly log: VerifierKey; readonly witnesses: readonly VerifierKey[] },
): readonly CosignedTime[] {
  try {
    const { size, signers } = verifyCheckpoint(note, keys);
    return signers.flatMap(({ atSeconds }) =>
      atSeconds === undefined ? [] : [{ size, atSeconds }],
    );
  } catch (error) {
    if (error instanceof LedgerError) return [];
    throw error;
  }
}
