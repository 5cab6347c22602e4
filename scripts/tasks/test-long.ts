// SPDX-License-Identifier: Apache-2.0
// `npm run test:long`: the same tests as `npm test` where time is no object: hundreds of kills, millions of
// simulated steps. `npm run test:long -- --kills 100 --seed seven` says how many and which.
import { parseArgs } from 'node:util';
import { runSteps } from './steps.ts';

const { values } = parseArgs({
  options: { kills: { type: 'string', default: '300' }, seed: { type: 'string' } },
});
if (!/^[1-9]\d{0,4}$/.test(values.kills)) {
  process.stderr.write('bailiwick: error: expected `--kills` from 1 to 99999\n');
  process.exit(2);
}

const seed = values.seed === undefined ? {} : { BAILIWICK_CRASH_SEED: values.seed };
const status = await runSteps(
  [
    {
      name: `${values.kills} kills under mixed load`,
      live: true,
      command: ['vitest', 'run', '--project', 'system', 'tests/crash/crash.system.test.ts'],
      env: { BAILIWICK_CRASH_KILLS: values.kills, ...seed },
    },
  ],
  { together: false },
);
process.exit(status);
