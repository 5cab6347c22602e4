// SPDX-License-Identifier: Apache-2.0
// `npm run check [-- <room>]`: format, lint, types, generated files, architecture and unit tests, side by
// side; under 30 seconds. Prints only what failed.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT, runSteps, type Step } from './steps.ts';

const [room] = process.argv.slice(2);

function findRoom(name: string): string {
  const folder = ['packages', 'adapters', 'apps'].find((kind) =>
    existsSync(path.join(ROOT, kind, name)),
  );
  if (folder) return `${folder}/${name}`;
  process.stderr.write(`bailiwick: error: no package, adapter or app \`${name}\`\n`);
  process.exit(2);
}

const where = room === undefined ? undefined : findRoom(room);
const CHECK_STEPS: readonly Step[] = [
  { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', where ?? '.'] },
  { name: 'types', command: ['tsc', '--project', '.'] },
  { name: 'types of the portal', command: ['tsc', '--project', 'apps/portal'] },
  {
    name: 'unit tests',
    command: ['vitest', 'run', '--project', 'unit', ...(where ? [where] : [])],
  },
];

process.exit(await runSteps(CHECK_STEPS, { together: true }));
