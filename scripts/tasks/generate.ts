// SPDX-License-Identifier: Apache-2.0
// `npm run generate [-- --check]`: writes what is derived from the sources and committed (schemas/). With
// --check it writes nothing and fails when a file is out of date.
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './steps.ts';

/** What a `generated.ts` of a room exports: path from the root to text. */
type Generator = () => Promise<Readonly<Record<string, string>>>;

const isCheck = process.argv.includes('--check');
const modules = globSync('{packages,apps}/*/src/generated.ts', { cwd: ROOT });
let count = 0;
const stale: string[] = [];

for (const file of modules.sort()) {
  const { generate } = (await import(pathToFileURL(path.join(ROOT, file)).href)) as {
    generate: Generator;
  };
  for (const [target, text] of Object.entries(await generate())) {
    count += 1;
    const full = path.join(ROOT, target);
    if (existsSync(full) && readFileSync(full, 'utf8') === text) continue;
    stale.push(target);
    if (isCheck) continue;
    mkdirSync(path.dirname(full), { recursive: true });
    writeFileSync(full, text);
  }
}

if (count === 0) {
  process.stderr.write(
    'bailiwick: error: no generator was found: a check that saw nothing is no check\n',
  );
  process.exit(1);
}
if (isCheck && stale.length > 0) {
  process.stderr.write(`bailiwick: error: out of date: ${stale.join(', ')}\n`);
  process.stderr.write('bailiwick: hint: npm run generate\n');
  process.exit(1);
}
process.stdout.write(
  `${count} generated files, ${isCheck ? 'all up to date' : `${stale.length} written`}\n`,
);
process.exit(0);
