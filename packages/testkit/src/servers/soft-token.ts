// SPDX-License-Identifier: Apache-2.0
// A fresh SoftHSM token in a directory of its own: a real PKCS#11 library, without hardware.
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface SoftToken {
  readonly tokenLabel: string;
  readonly pinFile: string;
  /** What SoftHSM must find in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly directory: string;
  /** Pulls the token out, and puts it back. */
  takeAway(): void;
  putBack(): void;
  remove(): void;
}

const UTILITIES = ['/usr/bin/softhsm2-util', '/usr/local/bin/softhsm2-util'];

/** SoftHSM's own tool, where packages put it. */
export function findSoftHsmUtility(): string | undefined {
  return UTILITIES.find((file) => existsSync(file));
}

/** Makes a token with random PINs. Throws when SoftHSM is not installed. */
export function createSoftToken(tokenLabel = 'bailiwick-test'): SoftToken {
  const utility = findSoftHsmUtility();
  if (utility === undefined) throw new Error('softhsm2-util is not installed');
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-softhsm-'));
  const tokens = path.join(directory, 'tokens');
  const away = path.join(directory, 'tokens.away');
  mkdirSync(tokens, { mode: 0o700 });
  const config = path.join(directory, 'softhsm2.conf');
  writeFileSync(
    config,
    `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  const pin = String(randomInt(100_000, 999_999));
  const pinFile = path.join(directory, 'pin');
  writeFileSync(pinFile, `${pin}\n`, { mode: 0o600 });
  const environment = { SOFTHSM2_CONF: config };
  const soPin = String(randomInt(10_000_000, 99_999_999));
  const made = spawnSync(
    utility,
    ['--init-token', '--free', '--label', tokenLabel, '--so-pin', soPin, '--pin', pin],
    { env: { ...process.env, ...environment }, encoding: 'utf8' },
  );
  if (made.status !== 0) throw new Error(`softhsm2-util failed: ${made.stderr}`);
  return {
    tokenLabel,
    pinFile,
    environment,
    directory,
    takeAway: () => renameSync(tokens, away),
    putBack: () => {
      if (!existsSync(away)) return;
      rmSync(tokens, { recursive: true, force: true });
      renameSync(away, tokens);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
