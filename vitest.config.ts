// SPDX-License-Identifier: Apache-2.0
// Two projects: `unit` is pure (no isolation between files: ten times faster), `system` may start
// servers and processes.
import { defineConfig } from 'vitest/config';

const SYSTEM = ['**/*.system.test.ts', 'tests/**/*.test.ts'];
const NEVER = ['**/node_modules/**', '.toolchain/**', '.bailiwick/**'];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{packages,adapters,apps}/*/src/**/*.test.ts',
            'drills/src/**/*.test.ts',
            'tests/architecture/**/*.test.ts',
          ],
          exclude: [...NEVER, '**/*.system.test.ts'],
          isolate: false,
          pool: 'threads',
        },
      },
      {
        test: {
          name: 'system',
          include: SYSTEM,
          exclude: [...NEVER, 'tests/architecture/**'],
          pool: 'forks',
          maxWorkers: 2,
          globalSetup: ['tests/system/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
