// SPDX-License-Identifier: Apache-2.0
// `npm test`: everything that CI runs. Brings the system packages that tests need where it may (Debian,
// root), then lint, types, unit tests and system tests; closes with one line of counts.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runSteps, type Step } from './steps.ts';
import { ensureSystemPackages } from './system-packages.ts';

interface Counts {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
}

const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-test-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const vitest = (project: string): Step => ({
  name: `${project} tests`,
  live: true,
  command: [
    'vitest',
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${path.join(folder, `${project}.json`)}`,
  ],
});

function readCounts(project: string): Counts {
  try {
    return JSON.parse(readFileSync(path.join(folder, `${project}.json`), 'utf8')) as Counts;
  } catch {
    return { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0 };
  }
}

await ensureSystemPackages();
const status = await runSteps(
  [
    { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
    { name: 'types', command: ['tsc', '--project', '.'] },
    { name: 'types of the portal', command: ['tsc', '--project', 'apps/portal'] },
    { name: 'generated files', command: ['node', 'scripts/tasks/generate.ts', '--check'] },
    vitest('unit'),
    vitest('system'),
  ],
  { together: false },
);

const counts = ['unit', 'system'].map(readCounts);
const sum = (of: (count: Counts) => number): number =>
  counts.reduce((total, count) => total + of(count), 0);
const skipped = sum((count) => count.numPendingTests + count.numTodoTests);
const failed = sum((count) => count.numFailedTests) + (status === 0 ? 0 : 1);
process.stdout.write(
  `${sum((count) => count.numPassedTests)} passed, ${failed} failed, ${skipped} skipped\n`,
);
if (skipped > 0 && process.env['CI'] === 'true') {
  process.stderr.write('bailiwick: error: with CI=true a skip is a failure\n');
  process.exit(1);
}
process.exit(status);
