// SPDX-License-Identifier: Apache-2.0
// What `npm start`, `npm test` and the others call: finds or brings a Node that can run the sources,
// installs what is missing, then hands over to scripts/tasks/<name>.ts. No step before it is needed.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ensureInstalled } from './lib/install.mjs';
import { ensureNode, fail, ROOT } from './lib/node.mjs';

const [task = '', ...args] = process.argv.slice(2);
const script = path.join(ROOT, 'scripts', 'tasks', `${task}.ts`);
if (!/^[a-z-]+$/.test(task) || !existsSync(script)) fail(`no such task \`${task}\``);

const node = ensureNode();
ensureInstalled(node);
const child = spawn(node, ['--disable-warning=ExperimentalWarning', script, ...args], {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH ?? ''}` },
});
// The terminal sends Ctrl-C to the whole group: this process only waits, so that nothing outlives it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT') child.kill(signal);
  });
}
child.on('error', (error) => fail(`could not run node: ${error.message}`));
child.on('exit', (code, signal) => process.exit(signal ? 130 : (code ?? 1)));
