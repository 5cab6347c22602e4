// SPDX-License-Identifier: Apache-2.0
// Goal: any number of followers of one file hear of each change, and nobody warns of a leak. Method: a real
// file, real polling, the process's own warnings.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { followFile } from './follow-file.ts';

const POLL_MS = 20;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-follow-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Changes the file until it was heard: the first look is taken a moment after following begins. */
async function changeUntil(file: string, isDone: () => boolean): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (let text = 'x'; !isDone() && performance.now() < deadline; text += 'x') {
    writeFileSync(file, text);
    await wait(2 * POLL_MS);
  }
  expect(isDone()).toBe(true);
}

describe('a file that many follow', () => {
  it('is heard of by all, without a warning, and by none that stopped', async () => {
    const warnings: string[] = [];
    const onWarning = ({ name }: Error): void => void warnings.push(name);
    process.on('warning', onWarning);
    const file = path.join(folder, 'bundle.pem');
    writeFileSync(file, 'one');
    const heard = new Map<number, number>();
    const stops = Array.from({ length: 50 }, (_, index) =>
      followFile(file, {
        pollMs: POLL_MS,
        onChange: () => heard.set(index, (heard.get(index) ?? 0) + 1),
      }),
    );
    for (const stop of stops.slice(0, 25)) stop();
    await changeUntil(file, () => heard.size === 25);
    expect([...heard.keys()].every((index) => index >= 25)).toBe(true);
    for (const stop of stops) stop();
    heard.clear();
    // A follower that comes after all stopped is looked after anew.
    const stop = followFile(file, { pollMs: POLL_MS, onChange: () => heard.set(0, 1) });
    await changeUntil(file, () => heard.size === 1);
    stop();
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
  });

  it('goes on for others when one stops twice', async () => {
    const file = path.join(folder, 'twice.pem');
    writeFileSync(file, 'one');
    let count = 0;
    const stop = followFile(file, { pollMs: POLL_MS, onChange: () => undefined });
    const other = followFile(file, {
      pollMs: POLL_MS,
      onChange: () => {
        count += 1;
      },
    });
    stop();
    stop();
    await changeUntil(file, () => count > 0);
    other();
  });
});
