// SPDX-License-Identifier: Apache-2.0
// Goal: the demonstration ends however people and machines end things, leaves nobody behind, and finds its
// data again. Method: the real command with its real processes, ended as a terminal, a crash and an
// operator end them; who is left is read from /proc.

import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, runBailiwick, startBailiwick, startProgram, toJson } from '../system/command.ts';
import { createPlace, type Demo, type Place, startDemo } from '../system/demo.ts';
import { toDemoPorts } from '../system/ports.ts';
import { findFamily, findUsers, listProcesses, stillRunning } from '../system/processes.ts';
import { openSystem } from '../system/shared.ts';
import { waitUntil } from '../system/wait-until.ts';

const SMALL = ['--no-story', '--customers', '60', '--orders', '120'] as const;
const GONE_TIMEOUT_MS = 25_000;

let place: Place & { remove(): void };
let demo: Demo | undefined;

beforeAll(async () => {
  place = await createPlace();
});
afterAll(async () => {
  await demo?.interrupt();
  // Only after a failure is anybody left: those of this place are ended by id.
  for (const { pid } of findUsers(place.state)) process.kill(pid, 'SIGKILL');
  place.remove();
});

/** Nobody of the family and nobody who works for the state directory is left. */
async function expectNobodyLeft(family: Demo['family']): Promise<void> {
  await waitUntil(
    'all processes to end',
    () => (stillRunning(family).length + findUsers(place.state).length === 0 ? true : undefined),
    { timeoutMs: GONE_TIMEOUT_MS },
  ).catch(() => undefined);
  expect(stillRunning(family).map(({ command }) => command)).toEqual([]);
  expect(findUsers(place.state).map(({ command }) => command)).toEqual([]);
}

/** Ids of everything stored in a cell. */
async function readIds(residency: 'eu-de' | 'uk-lon'): Promise<readonly string[]> {
  const system = openSystem({ ...place, story: '', pid: 0 });
  const client = new Client({ connectionString: system.ownerUrl(residency) });
  await client.connect();
  try {
    const { rows } = await client.query('SELECT record_id, version FROM cell.records ORDER BY 1');
    return rows.map(({ record_id: id, version }) => `${id} ${version}`);
  } finally {
    await client.end();
  }
}

describe('the demonstration', () => {
  let ids: readonly string[];

  it('runs as many processes with databases of their own, and says where they are', async () => {
    demo = await startDemo(place, SMALL);
    const servers = demo.family.filter(({ command }) => /-D .*\/postgres\/cluster/.test(command));
    expect(servers).toHaveLength(5);
    const named = (entry: string): number =>
      demo?.family.filter(({ command }) => command.includes(entry)).length ?? 0;
    expect(named('apps/cell/src/main.ts')).toBe(4);
    expect(named('apps/cell/src/key-service/main.ts')).toBe(4);
    expect(named('apps/control/src/main.ts')).toBe(1);
    expect(named('apps/router/src/main.ts')).toBe(1);
    expect(demo.running.stdout()).toContain(
      `https://uk-lon.cells.bailiwick.localhost:${place.port + 20}`,
    );
    ids = await readIds('eu-de');
    expect(ids.length).toBeGreaterThan(20);
  });

  it('refuses a second one over the same state in one line, and goes on', async () => {
    const second = await runBailiwick([
      'demo',
      ...SMALL,
      '--state',
      place.state,
      '--port',
      '64000',
    ]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      /^bailiwick: error: a demo runs already over .*\nbailiwick: hint: .*\n$/m,
    );
    const status = await runBailiwick(['--state', place.state, '--json', 'status']);
    expect(status.code, status.stderr).toBe(0);
  });

  it('ends at Ctrl-C, which a terminal sends to the whole group, and leaves nobody', async () => {
    if (demo === undefined) throw new Error('nothing runs');
    const code = await demo.interrupt();
    expect(code).toBe(130);
    await expectNobodyLeft(demo.family);
    expect(existsSync(path.join(place.state, 'supervisor.pid'))).toBe(false);
  });

  it('finds its data at the next start and loads nothing again', async () => {
    demo = await startDemo(place, SMALL);
    expect(demo.running.stderr()).toMatch(/charter serial 1$/m);
    expect(await readIds('eu-de')).toEqual(ids);
  });

  it('leaves nobody when its supervisor is killed', async () => {
    if (demo === undefined) throw new Error('nothing runs');
    await demo.kill();
    await expectNobodyLeft(demo.family);
  });

  it('starts over what a kill left, with the same data, and checks out', async () => {
    demo = await startDemo(place, SMALL);
    expect(await readIds('eu-de')).toEqual(ids);
    const check = await runBailiwick([
      ...[
        '--state',
        place.state,
        '--account',
        'privacy-officer',
        '--json',
        'ledger',
        'check',
        'eu-de',
      ],
    ]);
    expect(toJson(check)).toMatchObject({ problems: [] });
    await demo.interrupt();
    await expectNobodyLeft(demo.family);
    demo = undefined;
  });

  it('does all of it as `npm start -- --once`, and exits 0', async () => {
    const npm = path.join(path.dirname(process.execPath), 'npm');
    const args = ['start', '--', '--once', ...SMALL];
    const more = ['--state', place.state, '--port', String(place.port)];
    const running = startProgram(existsSync(npm) ? npm : 'npm', [...args, ...more], {
      isGroup: true,
      timeoutMs: 110_000,
    });
    let ended = false;
    void running.ended.then(() => {
      ended = true;
    });
    const family = new Map<number, Demo['family'][number]>();
    await waitUntil(
      'the end',
      () => {
        for (const one of findFamily(running.pid)) family.set(one.pid, one);
        return ended ? true : undefined;
      },
      { timeoutMs: 110_000, intervalMs: 300 },
    );
    const { code, stderr } = await running.ended;
    expect(code, stderr).toBe(0);
    expect(family.size).toBeGreaterThan(15);
    await expectNobodyLeft([...family.values()]);
  });

  it('ends in order when it is interrupted while it starts', async () => {
    const running = startBailiwick(
      ['demo', ...SMALL, '--state', place.state, '--port', String(place.port)],
      { isGroup: true },
    );
    await waitUntil('the first servers', () =>
      findFamily(running.pid).length > 6 ? true : undefined,
    );
    const family = findFamily(running.pid);
    process.kill(-running.pid, 'SIGINT');
    const { code } = await running.ended;
    expect(code).not.toBe(0);
    await expectNobodyLeft(family);
  });
});

describe('what is in the way', () => {
  const oneLine = /^bailiwick: error: [^\n]+\n(bailiwick: hint: [^\n]+\n)?$/;
  const errorOf = (stderr: string): string => stderr.slice(stderr.indexOf('bailiwick: error:'));

  it.each([0, 1, 2, 10, 43])(
    'is told in one line: the busy port %i behind the first',
    async (at) => {
      const other = await createPlace();
      const port = toDemoPorts(other.port).find((one) => one === other.port + at) ?? 0;
      const holder = createServer();
      await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
      try {
        const ended = await runBailiwick([
          ...['demo', ...SMALL, '--state', other.state, '--port', String(other.port)],
        ]);
        expect(ended.code).toBe(1);
        expect(errorOf(ended.stderr)).toMatch(oneLine);
        expect(ended.stderr).toContain(`port ${port}`);
        expect(findUsers(other.state)).toEqual([]);
      } finally {
        await new Promise((resolve) => holder.close(resolve));
        other.remove();
      }
    },
  );

  it('is told in one line: a state directory that may not be made', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-closed-'));
    chmodSync(folder, 0o555);
    try {
      // Root may write nearly anywhere: neither below /sys nor, in another way, below /proc.
      const isRoot = process.getuid?.() === 0;
      const states = isRoot ? ['/sys/bailiwick', '/proc/bailiwick'] : [path.join(folder, 'state')];
      for (const state of states) {
        const ended = await runBailiwick(['demo', ...SMALL, '--state', state, '--port', '64000']);
        expect(ended.code, state).toBe(1);
        expect(errorOf(ended.stderr)).toMatch(oneLine);
        expect(ended.stderr).toContain(state);
      }
    } finally {
      chmodSync(folder, 0o755);
      rmSync(folder, { recursive: true, force: true });
    }
  });

  const isRoot = process.getuid?.() === 0;
  it.runIf(isRoot)('is told in one line: a state directory of somebody else', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-foreign-'));
    const state = path.join(folder, 'state');
    mkdirSync(state);
    for (const directory of [folder, state]) chmodSync(directory, 0o755);
    try {
      const ended = await runBailiwick(['demo', ...SMALL, '--state', state, '--port', '64000'], {
        uid: 65_534,
        env: { HOME: '/nonexistent', NODE_DISABLE_COMPILE_CACHE: '1' },
      });
      expect(ended.code).toBe(1);
      expect(errorOf(ended.stderr)).toMatch(oneLine);
      expect(ended.stderr).toContain(`no permission to write \`${state}\``);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is told in one line: a state directory that is a file', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'bailiwick-file-'));
    const state = path.join(folder, 'state');
    writeFileSync(state, '');
    try {
      const ended = await runBailiwick(['demo', ...SMALL, '--state', state, '--port', '64000']);
      expect(ended.code).toBe(1);
      expect(errorOf(ended.stderr)).toMatch(oneLine);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is told in one line and one more for each place: a charter that is none', async () => {
    const other = await createPlace();
    mkdirSync(path.dirname(other.state), { recursive: true });
    const charter = path.join(path.dirname(other.state), 'charter.yaml');
    writeFileSync(charter, 'charter: 1\nname: broken\n');
    try {
      const ended = await runBailiwick([
        ...['demo', ...SMALL, '--charter', charter],
        ...['--state', other.state, '--port', String(other.port)],
      ]);
      expect(ended.code).toBe(1);
      const told = errorOf(ended.stderr).split('\n');
      expect(told[0]).toMatch(/^bailiwick: error: CONTROL_CHARTER_INVALID: /);
      expect(told).toContain('bailiwick: note: /: line 1, column 1: `cells` is missing');
      expect(told.slice(1, -1).filter((line) => !/^bailiwick: (?:note|hint): /.test(line))).toEqual(
        [],
      );
      expect(findUsers(other.state)).toEqual([]);
    } finally {
      other.remove();
    }
  });

  it.each([
    ['--port', '80'],
    ['--port', 'many'],
    ['--customers', '0'],
    ['--orders', '-1'],
  ])('is told as wrong usage: %s %s', async (name, value) => {
    const ended = await runBailiwick(['demo', name, value, '--state', '/tmp/never-made']);
    expect(ended.code).toBe(2);
    expect(errorOf(ended.stderr)).toMatch(oneLine);
    expect(existsSync('/tmp/never-made')).toBe(false);
  });
});

describe('the checkout', () => {
  it('has no process of these tests left in it', () => {
    expect(listProcesses().filter(({ command }) => command.includes(place.state))).toEqual([]);
    expect(existsSync(path.join(ROOT, 'package.json'))).toBe(true);
  });
});
