// SPDX-License-Identifier: Apache-2.0
// Goal: the ledger in files keeps the port's promises, and neither a kill, nor a torn write, nor a paused or
// doubled writer or sequencer can fork it or lose what was acknowledged. Method: the port's suite; processes
// killed while they write; files cut and overwritten as a crash leaves them; stores that stop between two steps.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { toLeafHash } from '@bailiwick/ledger';
import {
  aNewEntry,
  describeLogStore,
  someEntries,
  toSlowRoot,
} from '@bailiwick/testkit/suites/log-store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FileLogStore, openFileLogStore, prepareLogDirectory } from './file-log-store.ts';

const step = { epoch: 1, entriesCountMax: 100_000 };
const makeDirectory = (): string => {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-log-'));
  prepareLogDirectory(directory);
  return directory;
};

describeLogStore('files', async () => {
  const directory = makeDirectory();
  const stores: FileLogStore[] = [];
  const open = (): FileLogStore => {
    const store = openFileLogStore(directory);
    stores.push(store);
    return store;
  };
  return {
    store: open(),
    again: open,
    async close() {
      for (const store of stores) await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
});

describe('the ledger in files', () => {
  let directory: string;
  const opened: FileLogStore[] = [];
  const open = (): FileLogStore => {
    const store = openFileLogStore(directory);
    opened.push(store);
    return store;
  };
  beforeEach(() => {
    directory = makeDirectory();
  });
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const rootOf = (entries: ReturnType<typeof someEntries>): string =>
    Buffer.from(toSlowRoot(entries.map(({ commitment }) => toLeafHash(commitment)))).toString(
      'hex',
    );
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const segments = (): readonly string[] =>
    readdirSync(path.join(directory, 'segments'))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => path.join(directory, 'segments', name));

  it('must already be there', () => {
    const absent = path.join(directory, 'absent');
    expect(() => openFileLogStore(absent)).toThrow(
      expect.objectContaining({ code: 'LEDGER_STORE_MISSING' }),
    );
    expect(existsSync(absent)).toBe(false);
  });

  it('goes on where it was after a restart', async () => {
    const all = [...someEntries(300)];
    const first = open();
    const batch = await first.append(all);
    const { head } = await first.sequence(step);
    await first.saveCheckpoint(1, { size: 300, note: 'note' });
    await first.close();
    opened.length = 0;
    const second = open();
    expect(await second.readHead(1)).toEqual(head);
    expect(await second.readCheckpoint(1)).toEqual({ size: 300, note: 'note' });
    expect(await second.findBatch(batch)).toEqual({ epoch: 1, firstIndex: 0, count: 300 });
    const more = someEntries(70);
    await second.append(more);
    const next = (await second.sequence(step)).head;
    expect([next.size, hex(next.root)]).toEqual([370, rootOf([...all, ...more])]);
  });

  it('takes nothing of a record that a crash cut anywhere, and everything before it', async () => {
    const first = open();
    const kept = someEntries(5);
    await first.append(kept);
    const [file = ''] = segments();
    const before = readFileSync(file);
    const lost = aNewEntry('{"lost":true}');
    await first.append([lost]);
    await first.close();
    opened.length = 0;
    const after = readFileSync(file);
    const start = before.findIndex((byte, at) => byte !== after[at]);
    let end = after.length;
    while (after[end - 1] === 0) end -= 1;
    expect(end - start).toBeGreaterThan(100);
    for (const cut of [start + 1, start + 7, start + 23, start + 60, end - 20, end - 1]) {
      const torn = Buffer.from(after);
      torn.fill(0, cut);
      rmSync(directory, { recursive: true, force: true });
      prepareLogDirectory(directory);
      writeFileSync(file, torn);
      const store = open();
      const more = someEntries(3);
      await store.append(more);
      const { head } = await store.sequence(step);
      expect([head.size, hex(head.root)], `cut at ${cut}`).toEqual([8, rootOf([...kept, ...more])]);
      await store.close();
    }
    opened.length = 0;
  });

  it('takes nothing behind a changed byte of its last record', async () => {
    const first = open();
    const kept = someEntries(5);
    await first.append(kept);
    await first.append(someEntries(4));
    await first.close();
    opened.length = 0;
    const [file = ''] = segments();
    const bytes = readFileSync(file);
    let end = bytes.length;
    while (bytes[end - 1] === 0) end -= 1;
    bytes[end - 10] = (bytes[end - 10] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const { head } = await open().sequence(step);
    expect([head.size, hex(head.root)]).toEqual([5, rootOf(kept)]);
  });

  it('makes tiles and heads again from the journal when a loss of power took them', async () => {
    const all = someEntries(700);
    const first = open();
    await first.append(all);
    const { head } = await first.sequence(step);
    await first.close();
    opened.length = 0;
    for (const name of readdirSync(path.join(directory, 'tiles', '1'))) {
      truncateSync(path.join(directory, 'tiles', '1', name), 40);
    }
    const second = open();
    const [more] = [someEntries(1)];
    await second.append(more);
    const next = (await second.sequence(step)).head;
    expect(hex(next.root)).toBe(rootOf([...all, ...more]));
    for (const name of readdirSync(path.join(directory, 'heads'))) {
      rmSync(path.join(directory, 'heads', name));
    }
    const third = open();
    expect((await third.readHead(1)).size).toBe(0);
    const again = (await third.sequence(step)).head;
    expect([again.size, hex(again.root)]).toEqual([701, hex(next.root)]);
    expect(again.size).toBeGreaterThan(head.size);
  });

  it('refuses a head that the journal does not lead to', async () => {
    const first = open();
    await first.append(someEntries(10));
    await first.sequence(step);
    const forged = `20\n${'ab'.repeat(32)}\n`;
    writeFileSync(path.join(directory, 'heads', '1.0123456789abcdef'), forged);
    const second = open();
    await second.append(someEntries(1));
    await expect(second.sequence(step)).rejects.toMatchObject({ code: 'LEDGER_HEAD_INVALID' });
  });

  it('does not let a writer that was paused add behind the end of its segment', async () => {
    const [paused, other] = [open(), open()];
    const early = someEntries(2);
    await paused.append(early);
    const between = someEntries(3);
    await other.append(between); // closes the segment of the paused one
    const late = someEntries(4);
    const batch = await paused.append(late); // goes into a segment of its own, behind the other's
    const { head } = await other.sequence(step);
    expect(head.size).toBe(9);
    expect(hex(head.root)).toBe(rootOf([...early, ...between, ...late]));
    expect(await other.findBatch(batch)).toMatchObject({ firstIndex: 5, count: 4 });
    expect(segments().length).toBe(3);
    const paths = segments();
    // What is written behind a seal is not there, whatever it looks like.
    const [first = ''] = paths;
    const whole = readFileSync(first);
    const size = Number(readFileSync(first.replace('.log', '.sealed'), 'utf8'));
    writeFileSync(first, Buffer.concat([whole.subarray(0, size), whole.subarray(64, size)]));
    expect((await open().sequence(step)).head).toEqual(head);
  });

  it('gives the same positions by a sequencer that slept while another went on', async () => {
    const [one, two] = [open(), open()];
    const all = [...someEntries(20)];
    await one.append(all);
    const slept = await one.sequence({ epoch: 1, entriesCountMax: 1 });
    for (let round = 0; round < 5; round += 1) {
      const more = someEntries(30);
      all.push(...more);
      await two.append(more);
      await two.sequence(step);
    }
    const woken = (await one.sequence(step)).head;
    expect(woken.size).toBeGreaterThanOrEqual(slept.head.size);
    expect(hex((await two.readHead(1)).root)).toBe(rootOf(all));
    expect(await one.readHead(1)).toEqual(await two.readHead(1));
    // An old head of a sequencer that comes late is lower and counts for nothing.
    writeFileSync(
      path.join(directory, 'heads', '1.ffffffffffffffff'),
      `${slept.head.size}\n${hex(slept.head.root)}\n`,
    );
    expect((await two.readHead(1)).size).toBe(170);
  });

  it('closes an epoch where the next begins, also to one that slept', async () => {
    const [old, next] = [open(), open()];
    await old.append(someEntries(5));
    const before = (await old.sequence(step)).head;
    const waiting = someEntries(7);
    await old.append(waiting);
    const opened2 = (await next.sequence({ ...step, epoch: 2 })).head;
    expect([opened2.epoch, opened2.size, hex(opened2.root)]).toEqual([2, 7, rootOf(waiting)]);
    await expect(old.sequence(step)).rejects.toMatchObject({ code: 'LEDGER_EPOCH_CLOSED' });
    expect(await old.readHead(1)).toEqual(before);
    // A head that a sleeper left behind the end of its epoch does not count.
    writeFileSync(path.join(directory, 'heads', '1.eeeeeeeeeeeeeeee'), `12\n${'cd'.repeat(32)}\n`);
    expect(await old.readHead(1)).toEqual(before);
  });

  it('refuses what it cannot make durable, and goes on behind it', async () => {
    const folder = path.join(directory, 'segments');
    const kept = someEntries(2);
    await open().append(kept);
    // No segment can be begun for a moment.
    renameSync(folder, `${folder}-away`);
    const store = open();
    await expect(store.append(someEntries(1))).rejects.toMatchObject({
      code: 'LEDGER_ENTRY_NOT_DURABLE',
    });
    renameSync(`${folder}-away`, folder);
    const more = someEntries(3);
    await store.append(more);
    const { head } = await store.sequence(step);
    expect([head.size, hex(head.root)]).toEqual([5, rootOf([...kept, ...more])]);
  });

  it.each([1, 2, 3])(
    'loses nothing that was acknowledged to a kill -9 (round %i)',
    async (round) => {
      const child = spawn(
        process.execPath,
        [path.join(import.meta.dirname, 'testing/append-for-ever.ts'), directory],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const acknowledged: { readonly id: string; readonly count: number }[] = [];
      let text = '';
      await new Promise<void>((resolve, reject) => {
        child.on('error', reject);
        child.stdout.setEncoding('utf8');
        child.stdout.on('data', (chunk: string) => {
          text += chunk;
          const lines = text.split('\n');
          text = lines.pop() ?? '';
          for (const line of lines) acknowledged.push(JSON.parse(line));
          if (acknowledged.length >= 40 * round) child.kill('SIGKILL');
        });
        child.on('exit', () => resolve());
      });
      expect(acknowledged.length).toBeGreaterThanOrEqual(40 * round);
      const store = open();
      const last = await store.append([aNewEntry('{"after":1}')]);
      const { head } = await store.sequence({ epoch: 1, entriesCountMax: 10_000_000 });
      for (const { id, count } of acknowledged) {
        expect(await store.findBatch(id), id).toMatchObject({ count });
      }
      expect(await store.findBatch(last)).toMatchObject({ firstIndex: head.size - 1 });
      const total = acknowledged.reduce((sum, { count }) => sum + count, 0);
      expect(head.size).toBeGreaterThan(total);
    },
  );
});
