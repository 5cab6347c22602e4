// SPDX-License-Identifier: Apache-2.0
// System packages that some suites need. Installed on Debian as root; elsewhere the missing are named and
// their suites skip loudly. With CI=true a missing one is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

interface SystemPackage {
  readonly name: string;
  /** Present when one of these files exists. */
  readonly files: readonly string[];
  readonly why: string;
}

const NEEDED: readonly SystemPackage[] = [
  {
    name: 'postgresql-15',
    files: ['/usr/lib/postgresql/15/bin/postgres'],
    why: 'the store suite runs on an older PostgreSQL from outside too',
  },
  {
    name: 'softhsm2',
    files: ['/usr/bin/softhsm2-util', '/usr/local/bin/softhsm2-util'],
    why: 'customer keys in a hardware security module are tested on a software one',
  },
  {
    name: 'chromium-headless-shell',
    files: ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium', '/usr/bin/google-chrome'],
    why: 'the portal is tested in a real browser',
  },
];

const isPresent = ({ files }: SystemPackage): boolean => files.some((file) => existsSync(file));

/** Installs what is missing where it may; ends the process with CI=true when something stays missing. */
export async function ensureSystemPackages(): Promise<void> {
  const missing = NEEDED.filter((item) => !isPresent(item));
  if (missing.length === 0) return;
  const names = missing.map((item) => item.name);
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    process.stderr.write(`bailiwick: installing ${names.join(', ')}\n`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const options = { stdio: ['ignore', 'ignore', 'inherit'] as ('ignore' | 'inherit')[], env };
    spawnSync('apt-get', ['update', '-qq'], options);
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], options);
  }
  for (const item of missing.filter((entry) => !isPresent(entry))) {
    process.stderr.write(
      `bailiwick: warning: ${item.name} is missing (${item.why}): its suite is skipped\n`,
    );
    if (process.env['CI'] === 'true') {
      process.stderr.write('bailiwick: error: with CI=true a skip is a failure\n');
      process.exit(1);
    }
  }
}
