// SPDX-License-Identifier: Apache-2.0
// Goal: what README and issue promise of the demonstration. Method: the real command, its real processes,
// ended in each of the ways in which people and machines end things.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPlace, type Place, type Started } from '../testing.ts';

const SMALL = ['demo', '--no-story', '--customers', '60', '--orders', '60'];
const READY = /Ctrl-C stops everything/;
let place: Place;

beforeAll(async () => {
  place = await createPlace();
});
afterAll(async () => {
  for (const pid of place.processes()) process.kill(pid, 'SIGKILL');
  await place.untilGone(10_000);
  place.remove();
});

const startSmall = (): Promise<Started> => place.start([...SMALL, '--port', place.port], READY);

describe('the story', () => {
  it('does in six steps what it says, twice over the same data, and leaves nothing running', {
    timeout: 240_000,
  }, async () => {
    for (const orders of ['20400', '20400']) {
      const ran = place.run(['demo', '--once', '--json', '--orders', orders, '--port', place.port]);
      expect(ran.stderr).not.toContain('error');
      expect(ran.status).toBe(0);
      const { steps } = JSON.parse(ran.stdout);
      expect(steps).toHaveLength(6);
      expect(steps.flatMap(({ claims }: { claims: string[] }) => claims).length).toBeGreaterThan(
        35,
      );
      expect(place.processes()).toEqual([]);
    }
  });
});

describe('the demonstration', () => {
  it('says in one line what is in its way', async () => {
    const running = await startSmall();
    const second = place.run([...SMALL, '--port', place.port]);
    expect(second.status).toBe(1);
    expect(second.stderr).toMatch(/error: a demo runs already over .*\nbailiwick: hint: /);
    const elsewhere = await createPlace();
    const busy = elsewhere.run([...SMALL, '--port', place.port]);
    elsewhere.remove();
    expect(busy.status).toBe(1);
    expect(busy.stderr).toMatch(
      /error: port \d+ for the control plane cannot be used \(EADDRINUSE\)\n/,
    );
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(130);
    expect(place.processes()).toEqual([]);
  });

  it('leaves no process behind when its supervisor is killed', async () => {
    const { child, ended } = await startSmall();
    expect(place.processes().length).toBeGreaterThan(10);
    child.kill('SIGKILL');
    await ended;
    expect(await place.untilGone(20_000)).toBe(true);
  });

  it('ends with the log’s path when a cell is killed', async () => {
    const { ended, stderr } = await startSmall();
    const cell = findCell('uk-lon');
    process.kill(cell, 'SIGKILL');
    expect(await ended).toBe(1);
    expect(stderr()).toMatch(
      /error: cell uk-lon has ended by itself\n.*hint: its log is `.*cell\.log`/,
    );
    expect(place.processes()).toEqual([]);
  });

  it('cannot be started where there is no directory to be had', () => {
    const file = path.join(place.state, 'a-file');
    writeFileSync(file, '');
    const state = path.join(file, 'state');
    const ran = place.run([...SMALL, '--port', place.port, '--state', state]);
    expect(ran.status).toBe(1);
    expect(ran.stderr).toMatch(/^bailiwick: error: .* cannot be made there\nbailiwick: hint: /);
  });
});

function findCell(residency: string): number {
  const [pid] = place.processes().filter((one) => isCell(one, residency));
  if (pid === undefined) throw new Error('the cell does not run');
  return pid;
}

function isCell(pid: number, residency: string): boolean {
  const command = place.commandOf(pid);
  return command.includes('apps/cell/src/main.ts') && command.includes(`/cells/${residency}/`);
}

describe('an ingest', () => {
  const columns = 'InvoiceNo,StockCode,Description,Quantity,UnitPrice,CustomerID,Country';
  const good = Array.from(
    { length: 3_000 },
    (_, index) => `5${index},A${index},THING,${index % 9 === 0 ? -1 : 2},1.5,${index % 5},Germany`,
  );
  const bad = [
    '1,B,"OPEN,1,1,7,Germany',
    '2,B,THING,1,1,7',
    '3,B,THING,many,1,7,Germany',
    '4,B,THING,1,1,7,Bahrain',
    '5,B,THING,1,1,7,Atlantis',
    `6,B,${'X'.repeat(10 * 1024 * 1024)},1,1,7,Germany`,
    '7,B,THING,1,1,,Norway',
  ];

  it('tells each bad line and loses none of the rest, also when client and cell are killed', async () => {
    const file = path.join(place.state, 'lines.csv');
    writeFileSync(file, [columns, ...bad, ...good].join('\n'));
    let running = await startSmall();
    const killed = await place.start(['ingest', file, '--json'], /mapping:/);
    killed.child.kill('SIGKILL');
    await killed.ended;
    const ingest = await place.start(['ingest', file, '--json'], /mapping:/);
    process.kill(findCell('eu-de'), 'SIGKILL');
    await running.ended;
    running = await startSmall();
    expect(await ingest.ended).toBe(0);
    const told = JSON.parse(ingest.stdout());
    expect(told).toMatchObject({ lineCount: 3_007, refusedCount: 6, withoutSubjectCount: 1 });
    expect(
      told.refused.map(({ code, lines }: { code: string; lines: number[] }) => [code, lines]),
    ).toEqual(
      expect.arrayContaining([
        ['IMPORT_LINE_MALFORMED', [2]],
        ['IMPORT_COLUMN_COUNT', [3]],
        ['IMPORT_VALUE_INVALID', [4]],
        ['ORIGIN_WITHOUT_HOME', [5]],
        ['ORIGIN_UNKNOWN', [6]],
        ['IMPORT_LINE_TOO_LONG', [7]],
      ]),
    );
    const again = place.run(['ingest', file, '--json']);
    expect(JSON.parse(again.stdout).cells).toEqual([
      { cell: 'eu-de/main', accepted: 0, unchanged: 3_001, refused: 0 },
    ]);
    const counted = place.run([
      'record',
      'search',
      'eu-de',
      'invoice-lines',
      '--count',
      '--page-size',
      '1',
      '--json',
    ]);
    expect(JSON.parse(counted.stdout).count).toBe(3_001);
    running.child.kill('SIGTERM');
    await running.ended;
    expect(place.processes()).toEqual([]);
  });
});
