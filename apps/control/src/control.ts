// SPDX-License-Identifier: Apache-2.0
// Wires a control plane: database, identity, signing key, server. Used by `main.ts` and by tests.
import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { ControlConfig } from '@bailiwick/contracts';
import type { Clock } from '@bailiwick/kernel';
import { toDsseSigner, toPublicKeyText } from '@bailiwick/keys';
import { openIdentity } from '@bailiwick/pki';
import { openDatabase } from '@bailiwick/postgres';
import { openLog } from '@bailiwick/telemetry';
import { createChanges, readRevision } from './changes.ts';
import { readSmallFile } from './config.ts';
import { ControlError } from './errors.ts';
import { createServer } from './server.ts';
import type { ControlServices } from './services.ts';

/** A control plane that serves. */
export interface Control {
  readonly port: number;
  close(): Promise<void>;
}

function readSigningKey(file: string): KeyObject {
  try {
    const key = createPrivateKey(readSmallFile(file));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new ControlError('CONTROL_CONFIG_INVALID', `\`${file}\` holds no private key`, { cause });
  }
  throw new ControlError('CONTROL_CONFIG_INVALID', `\`${file}\`: expected an ed25519 key`);
}

const systemClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

/** Opens everything and listens; what was opened is closed again when a later step fails. */
export async function openControl(config: ControlConfig): Promise<Control> {
  const signingKey = readSigningKey(config.signing.keyFile);
  const { directory, level } = config.telemetry;
  const log = openLog({ component: 'control', directory, level });
  const identity = openIdentity(config.identity, {
    onProblem: (error) => log.error('a renewed identity cannot be used', { error }),
  });
  const database = openDatabase({
    url: readSmallFile(config.database.urlFile).trim(),
    poolSize: config.database.poolSize,
    applicationName: 'bailiwick-control',
    onIdleError: () => log.warn('an idle connection to the database was lost'),
  });
  const changes = createChanges(database);
  let isStopping = false;
  const services: ControlServices = {
    clock: systemClock,
    random: { bytes: (size) => randomBytes(size) },
    database,
    signer: toDsseSigner(signingKey),
    signerKey: toPublicKeyText(signingKey),
    directoryValidForMs: config.directory.validForMs,
    changes,
    log,
    isStopping: () => isStopping,
  };
  const app = createServer(services, identity);
  const close = async (): Promise<void> => {
    isStopping = true;
    changes.close();
    await app.close();
    identity.close();
    await database.close();
    log.info('the control plane has ended');
    log.flush();
  };
  try {
    await readRevision(database);
    await app.listen({ host: config.listen.host, port: config.listen.port });
  } catch (error) {
    await close();
    throw error;
  }
  const { port } = app.server.address() as AddressInfo;
  log.info('the control plane serves', { port });
  return { port, close };
}
