// SPDX-License-Identifier: Apache-2.0
// Signing notes (c2sp.org/signed-note) and cosigning checkpoints (c2sp.org/tlog-cosignature).
import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { type Checkpoint, toCheckpointText } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import {
  createVerifierKey,
  SIGNATURE_TYPES,
  type SignatureType,
  toCosignedMessage,
  toSignatureLine,
  type VerifierKey,
} from './note.ts';

/** Signs the checkpoints of one log. */
export interface LogSigner {
  readonly verifierKey: VerifierKey;
  /** The whole signed note. */
  signCheckpoint(head: Pick<Checkpoint, 'size' | 'root'>): string;
}

/** Cosigns checkpoints of other logs. */
export interface Cosigner {
  readonly verifierKey: VerifierKey;
  /** One signature line, with its newline. `text` is a checkpoint's whole note text. */
  cosign(text: string, options: { readonly atSeconds: number }): string;
}

function toPublicBytes(privateKey: KeyObject): Uint8Array {
  if (privateKey.type !== 'private' || privateKey.asymmetricKeyType !== 'ed25519') {
    throw new LedgerError('LEDGER_KEY_INVALID', 'expected an ed25519 private key');
  }
  return createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
}

function toVerifier(name: string, type: SignatureType, privateKey: KeyObject): VerifierKey {
  return createVerifierKey({ name, type, publicKey: toPublicBytes(privateKey) });
}

/** Makes a log's signer; the key's name is the log's origin. @throws {LedgerError} `LEDGER_KEY_INVALID` */
export function createLogSigner(options: {
  readonly origin: string;
  readonly privateKey: KeyObject;
}): LogSigner {
  const { origin, privateKey } = options;
  const verifierKey = toVerifier(origin, SIGNATURE_TYPES.ed25519, privateKey);
  return {
    verifierKey,
    signCheckpoint({ size, root }) {
      const text = toCheckpointText({ origin, size, root });
      const signature = sign(null, Buffer.from(text, 'utf8'), privateKey);
      return `${text}\n${toSignatureLine({ ...verifierKey, bytes: signature })}`;
    },
  };
}

/** Makes a witness's signer. @throws {LedgerError} `LEDGER_KEY_INVALID` */
export function createCosigner(options: {
  readonly name: string;
  readonly privateKey: KeyObject;
}): Cosigner {
  const { name, privateKey } = options;
  const verifierKey = toVerifier(name, SIGNATURE_TYPES.cosignature, privateKey);
  return {
    verifierKey,
    cosign(text, { atSeconds }) {
      if (!Number.isSafeInteger(atSeconds) || atSeconds < 1) {
        throw new RangeError('the time of a cosignature is a count of seconds, at least 1');
      }
      const message = Buffer.from(toCosignedMessage(text, atSeconds), 'utf8');
      const bytes = Buffer.alloc(72);
      bytes.writeBigUInt64BE(BigInt(atSeconds));
      bytes.set(sign(null, message, privateKey), 8);
      return toSignatureLine({ ...verifierKey, bytes });
    },
  };
}

/** The origin of a cell's log: `<cell>/ledger/<epoch>`. */
export function toOrigin(cell: string, epoch: number): string {
  return `${cell}/ledger/${epoch}`;
}
