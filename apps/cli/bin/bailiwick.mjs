#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// The `bailiwick` command. Plain JavaScript that runs on Node 20: it finds a Node that can run the
// sources, installs what is missing in a checkout, and goes on with `src/main.ts`.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureInstalled } from '../../../scripts/lib/install.mjs';
import { ensureNode } from '../../../scripts/lib/node.mjs';

const main = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../src/main.ts');
const node = ensureNode();
ensureInstalled(node);

if (node === process.execPath) {
  const { run } = await import(pathToFileURL(main).href);
  await run(process.argv.slice(2));
} else {
  const child = spawn(
    node,
    ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)],
    { stdio: 'inherit' },
  );
  // The terminal sends Ctrl-C to the whole group: this process only waits, so that nothing outlives it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT') child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`bailiwick: error: could not run node: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
}
