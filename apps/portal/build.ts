// SPDX-License-Identifier: Apache-2.0
// Builds the portal unless exactly these sources were built before, and prints the directory of the result.
// The directory is named after a hash of the sources and appears whole or not at all, so that commands that
// start together never see half a build.
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const ROOT = path.resolve(import.meta.dirname, '../..');
const PORTAL = path.join(ROOT, 'apps', 'portal');
const CACHE = path.join(ROOT, 'node_modules', '.cache', 'bailiwick-portal');
/** What a build is made of. */
const SOURCES = [
  'apps/portal/{index.html,build.ts,package.json}',
  'apps/portal/{src,public}/**/*',
  'packages/ledger/src/**/*.ts',
  'package-lock.json',
];
const KEPT_COUNT = 4;
const COMPRESSED = ['.html', '.js', '.css', '.svg', '.json'];

function hashSources(): string {
  const files = globSync(SOURCES, { cwd: ROOT })
    .filter((file) => statSync(path.join(ROOT, file)).isFile() && !/\.test\.tsx?$/.test(file))
    .sort();
  if (files.length < 10) throw new Error('the sources of the portal are not where they should be');
  const hash = createHash('sha256');
  for (const file of files) {
    hash
      .update(`${file}\0`)
      .update(readFileSync(path.join(ROOT, file)))
      .update('\0');
  }
  return hash.digest('hex').slice(0, 24);
}

async function build(output: string): Promise<void> {
  // Whoever starts this, a test too, gets the one build: without it React would come with its development half.
  process.env['NODE_ENV'] = 'production';
  const vite = await import('vite');
  await vite.build({
    configFile: false,
    root: PORTAL,
    base: '/portal/',
    logLevel: 'error',
    resolve: {
      // The verifier's own files run in the browser as they are; only the primitives below them differ.
      alias: { 'node:crypto': path.join(PORTAL, 'src', 'verifier', 'node-crypto.ts') },
    },
    oxc: { jsx: { runtime: 'automatic' } },
    build: {
      outDir: output,
      emptyOutDir: true,
      target: 'es2023',
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      chunkSizeWarningLimit: 1_000,
      sourcemap: false,
    },
  });
}

function compress(directory: string): void {
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    if (!COMPRESSED.includes(path.extname(name))) continue;
    const file = path.join(directory, name);
    const bytes = readFileSync(file);
    const quality = { [constants.BROTLI_PARAM_QUALITY]: 11 };
    writeFileSync(`${file}.br`, brotliCompressSync(bytes, { params: quality }));
    writeFileSync(`${file}.gz`, gzipSync(bytes, { level: 9 }));
  }
}

/** Leaves the newest few: a running demonstration has read its files already. */
function prune(): void {
  const builds = readdirSync(CACHE)
    .map((name) => path.join(CACHE, name))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const old of builds.slice(KEPT_COUNT)) rmSync(old, { recursive: true, force: true });
}

const directory = path.join(CACHE, hashSources());
if (existsSync(path.join(directory, 'index.html'))) {
  const now = new Date();
  utimesSync(directory, now, now);
} else {
  mkdirSync(CACHE, { recursive: true });
  const partial = `${directory}.${process.pid}`;
  try {
    await build(partial);
    compress(partial);
    // Somebody who built the same at the same time has won: the result is the same.
    if (!existsSync(directory)) renameSync(partial, directory);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  prune();
}
process.stdout.write(`${directory}\n`);
