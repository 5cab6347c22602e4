// SPDX-License-Identifier: Apache-2.0
// Goal: a server process says one line when it serves or why it cannot, ends in order when told to or
// orphaned, and by force when it hangs. Method: small servers as real processes.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const ADAPTER = path.resolve(import.meta.dirname, 'index.ts');
const KERNEL = path.resolve(import.meta.dirname, '../../../packages/kernel/src/index.ts');
const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-process-server-'));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly errors: () => string;
}

/** Runs `open`, the text of a function, as a server. */
function start(open: string, args: readonly string[] = ['--config', 'x.yaml']): Started {
  const program = `import { runServer } from ${JSON.stringify(ADAPTER)};
    const hold = setInterval(() => {}, 1000);
    const serving = (ready = {}, close = async () => clearInterval(hold)) => ({ ready, close });
    runServer('test', ${open}, { switches: ['once'] });`;
  const file = path.join(directory, `${children.length}.mjs`);
  writeFileSync(file, program);
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  let [output, errors] = ['', ''];
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return { child, output: () => output, errors: () => errors };
}

async function codeOf({ child }: Started): Promise<unknown> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  return (await once(child, 'close'))[0];
}

const isReady = ({ output }: Started) =>
  expect.poll(output, { timeout: 20_000 }).toContain('"ready":true');

describe('a server', () => {
  it('is given its file, its settings and its switches', async () => {
    const started = start(
      'async (g) => serving({ file: g.file, flags: JSON.stringify(g.flags), once: String(g.switches.has("once")) })',
      ['--config=a.yaml', '--listen-port', '7', '--once', '--name=a=b'],
    );
    await isReady(started);
    expect(JSON.parse(started.output())).toEqual({
      ready: true,
      file: 'a.yaml',
      flags: '{"listen-port":"7","name":"a=b"}',
      once: 'true',
    });
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('closes once and ends on %s', async (signal) => {
    const started = start('async () => serving({}, async () => { console.log("closed"); })');
    await isReady(started);
    started.child.kill(signal);
    started.child.kill(signal);
    expect(await codeOf(started)).toBe(0);
    expect(started.output().match(/closed/g)).toHaveLength(1);
  });

  it('ends with 1 when closing fails, and tells its log', async () => {
    const started = start(
      'async (g) => { g.onFault((m) => console.error("log:", m)); return serving({}, async () => { throw new Error("x"); }); }',
    );
    await isReady(started);
    started.child.kill('SIGTERM');
    expect(await codeOf(started)).toBe(1);
    expect(started.errors()).toContain('log: stopping failed');
  });

  it('is ended when closing hangs', async () => {
    const started = start('async () => serving({}, () => new Promise(() => undefined))');
    await isReady(started);
    const fromMs = performance.now();
    started.child.kill('SIGTERM');
    expect(await codeOf(started)).toBe(1);
    expect(performance.now() - fromMs).toBeLessThan(10_000);
  });

  it('ends when its parent is gone', async () => {
    const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    children.push(parent);
    const started = start('async () => serving()', [
      '--config',
      'x',
      '--parent-pid',
      String(parent.pid),
    ]);
    await isReady(started);
    parent.kill('SIGKILL');
    expect(await codeOf(started)).toBe(0);
  });

  it('ends with 1 at a failure that nobody expected, once its log has it', async () => {
    const started = start(
      'async (g) => { g.onFault((m) => console.error("log:", m)); setTimeout(() => { throw new Error("hunter2"); }, 20); return serving(); }',
    );
    expect(await codeOf(started)).toBe(1);
    expect(started.errors()).toContain('log: uncaught failure');
    // Where it happened is told, what it said is not: it can hold anything.
    expect(started.errors()).toMatch(/\nbailiwick: error: test: uncaught failure\n {4}at /);
    expect(started.errors()).not.toContain('hunter2');
  });

  it('whose work is done without serving just ends', async () => {
    const started = start('async () => { clearInterval(hold); return undefined; }');
    expect(await codeOf(started)).toBe(0);
    expect(started.output()).toBe('');
  });
});

describe('a server that cannot start', () => {
  const fail = (text: string): string =>
    `async () => { throw Object.assign(new Error('hunter2'), ${text}); }`;

  it.each([
    [
      'its own error',
      `async () => { const { CodedError } = await import(${JSON.stringify(KERNEL)}); throw new CodedError('TEST_X', 'say so'); }`,
      'test: TEST_X: say so',
    ],
    ['a port in use', fail(`{ code: 'EADDRINUSE' }`), 'test: EADDRINUSE: the port is in use'],
    ['a foreign error, by its code', fail(`{ code: '28P01' }`), 'test: 28P01'],
  ])('says so in one line: %s', async (_, open, line) => {
    const started = start(open);
    expect(await codeOf(started)).toBe(1);
    expect(started.errors()).toBe(`bailiwick: error: ${line}\n`);
    expect(started.output()).toBe('');
  });

  it('says where a failure is that nobody expected, and not what it says', async () => {
    const started = start(`async () => { throw new Error('hunter2'); }`);
    expect(await codeOf(started)).toBe(1);
    expect(started.errors()).toMatch(/^bailiwick: error: test: failed to start\n {4}at /);
    expect(started.errors()).not.toContain('hunter2');
  });

  it.each([
    ['no configuration', []],
    ['a word that is no flag', ['--config', 'x', 'hunter2']],
    ['a flag without a value', ['--config']],
    ['a parent that is no process', ['--config', 'x', '--parent-pid', 'hunter2']],
    ['a parent that is the first process', ['--config', 'x', '--parent-pid', '1']],
  ])('because of its usage ends with 2: %s', async (_, args) => {
    const started = start('async () => serving()', args);
    expect(await codeOf(started)).toBe(2);
    expect(started.errors()).toMatch(/^bailiwick: error: test: [^\n]*\n$/);
    expect(started.errors()).not.toContain('hunter2');
  });
});
