// SPDX-License-Identifier: Apache-2.0
// Goal: what the pages tell a reader to type works and prints what they say. Method: the console blocks of
// the README and the guides, run in order against the shared demonstration; and every relative link.
import { existsSync, globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../system/command.ts';
import { useSystem } from '../system/shared.ts';
import { findMissingLine, readConsoleSteps, runCommand } from './console.ts';

/** A guard that sees nothing is no guard. */
const README_STEPS_MIN = 10;
const STEP_TIMEOUT_MS = 60_000;

const read = (file: string): string => readFileSync(path.join(ROOT, file), 'utf8');

describe('the console blocks of the README', () => {
  const steps = readConsoleSteps(read('README.md'));

  it('are there', () => {
    expect(steps.length).toBeGreaterThanOrEqual(README_STEPS_MIN);
  });

  it.each(steps)(
    'line $line: $command',
    async ({ command, expected, exitCode }) => {
      const system = await useSystem();
      const env = {
        ...process.env,
        PATH: `${path.join(ROOT, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
        BAILIWICK_STATE: system.state,
        NO_COLOR: '1',
      };
      // The command itself and not npx in front of it, which would ask a registry.
      const local = command.replaceAll('npx bailiwick', 'bailiwick');
      const ran = await runCommand(local, { cwd: ROOT, env, timeoutMs: STEP_TIMEOUT_MS });
      expect(findMissingLine(expected, ran.output), ran.output).toBeUndefined();
      expect(ran.code, ran.output).toBe(exitCode);
    },
    STEP_TIMEOUT_MS,
  );
});

describe('links', () => {
  const pages = globSync('{*.md,docs/**/*.md,{packages,adapters,apps,examples}/*/README.md}', {
    cwd: ROOT,
  });

  it('are looked at on every page', () => {
    expect(pages.length).toBeGreaterThan(30);
  });

  it.each(pages)('of %s lead somewhere', (page) => {
    const targets = [...read(page).matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)/g)].map(
      (match) => match[1] ?? '',
    );
    const broken = targets.filter(
      (target) => !existsSync(path.join(ROOT, path.dirname(page), target)),
    );
    expect(broken).toEqual([]);
  });
});
