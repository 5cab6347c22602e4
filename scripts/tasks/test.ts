// SPDX-License-Identifier: Apache-2.0
// `npm test`: everything that CI runs. Brings the system packages that tests need where it may (Debian,
// root), then checks, unit tests, system tests and the demonstration itself.

import { runSteps } from './steps.ts';
import { ensureSystemPackages } from './system-packages.ts';

await ensureSystemPackages();
process.exit(
  await runSteps(
    [
      { name: 'format and lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
      { name: 'types', command: ['tsc', '--project', '.'] },
      { name: 'unit tests', command: ['vitest', 'run', '--project', 'unit'], live: true },
      { name: 'system tests', command: ['vitest', 'run', '--project', 'system'], live: true },
    ],
    { together: false },
  ),
);
