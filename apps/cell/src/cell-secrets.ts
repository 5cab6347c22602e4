// SPDX-License-Identifier: Apache-2.0
// The cell's own signing key (access tokens, residency claims, deliveries) and the secret derived from
// it. All replicas of a cell share the file. It opens no data and is made at the first start where the
// configuration names no file: losing it ends sessions and nothing else.
import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import type { CellConfig } from '@bailiwick/contracts';
import { toDsseKeyId, toPublicKeyText } from '@bailiwick/keys';
import { CellError } from './errors.ts';

export interface CellSecrets {
  readonly signingKey: KeyObject;
  readonly verificationKey: KeyObject;
  /** Id of the signing key, in tokens and signatures. */
  readonly keyId: string;
  /** Public key, base64, as bundles carry it. */
  readonly publicKeyText: string;
  /** For keyed hashes that must work while a customer's key is disabled. */
  readonly macKey: KeyObject;
}

/** @throws {CellError} `CELL_CONFIG_INVALID` when the file is not an Ed25519 key, `CELL_STATE_MISSING` */
export function openCellSecrets(config: CellConfig): CellSecrets {
  const file = config.signing?.keyFile ?? path.join(config.state, 'signing-key.pem');
  if (!existsSync(config.state)) {
    throw new CellError('CELL_STATE_MISSING', `the state directory \`${config.state}\` must exist`);
  }
  if (config.signing === undefined && !existsSync(file)) createKeyFile(file);
  return toCellSecrets(readKeyFile(file));
}

/** What follows from a signing key. */
export function toCellSecrets(signingKey: KeyObject): CellSecrets {
  const verificationKey = createPublicKey(signingKey);
  const seed = signingKey.export({ type: 'pkcs8', format: 'der' });
  const secret = hkdfSync('sha256', seed, Buffer.alloc(0), 'bailiwick/cell-secret/v1\0', 32);
  return {
    signingKey,
    verificationKey,
    keyId: toDsseKeyId(verificationKey),
    publicKeyText: toPublicKeyText(verificationKey),
    macKey: createSecretKey(Buffer.from(secret)),
  };
}

function createKeyFile(file: string): void {
  const { privateKey } = generateKeyPairSync('ed25519');
  // `wx`: a second process that starts at the same time loses the race and reads the winner's key.
  let descriptor: number;
  try {
    descriptor = openSync(file, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw new CellError('CELL_STATE_MISSING', `\`${file}\` cannot be written`, { cause: error });
  }
  try {
    writeSync(descriptor, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function readKeyFile(file: string): KeyObject {
  try {
    const key = createPrivateKey(readFileSync(file, 'utf8'));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` holds no private key in PEM`, {
      cause,
    });
  }
  throw new CellError('CELL_CONFIG_INVALID', `\`${file}\` is not an ed25519 key`);
}
