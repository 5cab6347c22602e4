// SPDX-License-Identifier: Apache-2.0
// Finds a Node that can run this checkout (>= 22.18, which strips types by itself). Where the machine's
// own is older, node@24 is brought from npm into .toolchain/ and everything goes on with it.
// Plain JavaScript without dependencies: it runs on Node 20, before anything is installed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(
  import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname),
  '../..',
);

const TOOLCHAIN = path.join(ROOT, '.toolchain');

/** @param {string} version such as `22.18.0` */
export function isRecentEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

/** Ends the process with one clear line and, where there is one, the next thing to do. */
export function fail(message, hint) {
  process.stderr.write(`bailiwick: error: ${message}\n`);
  if (hint) process.stderr.write(`bailiwick: hint: ${hint}\n`);
  process.exit(1);
}

/** Path of a Node that can run this checkout; undefined when .toolchain/ has none yet. */
export function findNode() {
  if (isRecentEnough(process.versions.node)) return process.execPath;
  const binary = path.join(
    TOOLCHAIN,
    'node_modules',
    `node-${process.platform}-${process.arch}`,
    'bin',
    'node',
  );
  return existsSync(binary) ? binary : undefined;
}

/** Like findNode, and installs node@24 (exact version and hash from scripts/toolchain) when needed. */
export function ensureNode() {
  const found = findNode();
  if (found) return found;
  process.stderr.write(
    `bailiwick: node ${process.versions.node} is older than 22.18: bringing node 24 into .toolchain/\n`,
  );
  mkdirSync(TOOLCHAIN, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) {
    cpSync(path.join(ROOT, 'scripts', 'toolchain', name), path.join(TOOLCHAIN, name));
  }
  const done = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    {
      cwd: TOOLCHAIN,
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  const installed = findNode();
  if (done.status !== 0 || !installed) {
    fail(
      `could not install node 24 for ${process.platform}-${process.arch}`,
      'install Node 24 yourself, or check that the npm registry can be reached, then run the same command again',
    );
  }
  return installed;
}
