// SPDX-License-Identifier: Apache-2.0
// Goal: the HTTP API is c2sp.org/tlog-witness to the letter, its bounds hold, and neither a kill at any
// moment nor a second process over the same files ever makes it cosign two histories. Method: the real
// process, started from its entry point; every cosignature that leaves it is kept and held to one history.
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { parseVerifierKey, type VerifierKey, verifyCheckpoint } from '@bailiwick/ledger';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type ALog, aLog, ORIGIN, someFiles } from './a-witness.ts';
import { openFileWitnessStore } from './file-store.ts';

const ENTRY = path.join(import.meta.dirname, 'main.ts');
const { privateKey } = generateKeyPairSync('ed25519');
const one = aLog(privateKey, { size: 700 });
const two = aLog(privateKey, { size: 700, fork: 300 });
const HASH = Buffer.from(
  await crypto.subtle.digest('SHA-256', new TextEncoder().encode(ORIGIN)),
).toString('hex');

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  readonly key: VerifierKey;
}

const directories: string[] = [];
const children: ChildProcess[] = [];

const files = (
  logs: readonly VerifierKey[] = [one.key],
  overrides?: Readonly<Record<string, unknown>>,
): ReturnType<typeof someFiles> => {
  const made = someFiles(logs, overrides);
  directories.push(made.directory);
  return made;
};

function launch(config: string, ...args: string[]): ChildProcess {
  const flags = ['--disable-warning=ExperimentalWarning'];
  // A test that is killed leaves nothing behind.
  const parent = args.length > 0 ? args : ['--parent-pid', String(process.pid)];
  const child = spawn(process.execPath, [...flags, ENTRY, '--config', config, ...parent], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  return child;
}

async function start(config: string, ...args: string[]): Promise<Running> {
  const child = launch(config, ...args);
  let text = '';
  let problem = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    problem += chunk.toString('utf8');
  });
  const ready = new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      if (text.includes('\n')) resolve();
    });
    child.once('exit', () => reject(new Error(`ended: ${problem}`)));
  });
  await ready;
  const { port, verifierKey } = JSON.parse(text);
  return { child, port, url: `http://127.0.0.1:${port}`, key: parseVerifierKey(verifierKey) };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = once(child, 'exit');
  child.kill(signal);
  const [code] = await ended;
  return code;
}

async function fails(config: string): Promise<string> {
  const child = launch(config);
  let text = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(1);
  return text;
}

const add = (url: string, body: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/add-checkpoint`, { method: 'POST', body, ...init });

afterEach(async () => {
  for (const child of children.splice(0)) await end(child, 'SIGKILL');
});
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

describe('the HTTP API of a witness', () => {
  it('answers as the specification says, and keeps its state over a restart', async () => {
    const { config } = files();
    const first = await start(config);
    const { url, key } = first;
    expect((await fetch(`${url}/${HASH}/checkpoint`)).status).toBe(404);

    const cosigned = await add(url, await one.request(0, 300));
    expect(cosigned.status).toBe(200);
    const line = await cosigned.text();
    const { signers } = verifyCheckpoint(one.checkpoint(300) + line, {
      log: one.key,
      witnesses: [key],
    });
    expect(signers.length).toBe(2);
    const atSeconds = signers.find((signer) => signer.key === key)?.atSeconds ?? 0;
    expect(Math.abs(atSeconds - Date.now() / 1000)).toBeLessThan(5);

    const conflict = await add(url, await one.request(0, 400));
    expect(conflict.status).toBe(409);
    expect(conflict.headers.get('content-type')).toBe('text/x.tlog.size');
    expect(await conflict.text()).toBe('300\n');

    expect((await add(url, await one.request(300, 400))).status).toBe(200);
    const served = await fetch(`${url}/${HASH}/checkpoint`);
    expect(served.status).toBe(200);
    const note = await served.text();
    expect(verifyCheckpoint(note, { log: one.key, witnesses: [key] })).toMatchObject({ size: 400 });

    expect(await end(first.child, 'SIGTERM')).toBe(0);
    const again = await start(config);
    expect(await (await fetch(`${again.url}/${HASH}/checkpoint`)).text()).toBe(note);
    expect((await add(again.url, await one.request(300, 400))).status).toBe(409);
    expect((await add(again.url, await one.request(400, 700))).status).toBe(200);
  });

  it('refuses each wrong request with the status that the specification names', async () => {
    const { config, state } = files();
    const { url } = await start(config);
    await add(url, await one.request(0, 300));
    const stranger = aLog(generateKeyPairSync('ed25519').privateKey, { size: 400 });
    const unknown = aLog(privateKey, { size: 400, origin: 'us-va/main/ledger/1' });
    const grown = await one.request(300, 400);
    const cases: readonly (readonly [string, string, number])[] = [
      ['not a request', 'nothing', 400],
      ['empty', '', 400],
      ['leading zero', grown.replace('old 300', 'old 0300'), 400],
      ['negative', grown.replace('old 300', 'old -1'), 400],
      ['carriage returns', grown.replaceAll('\n', '\r\n'), 400],
      ['old size above the checkpoint', await one.request(301, 300), 400],
      ['unknown origin', await unknown.request(0, 400), 404],
      ['signed by a stranger', await stranger.request(300, 400), 403],
      ['edited size', grown.replace('\n400\n', '\n401\n'), 403],
      ['another old size', await one.request(299, 400), 409],
      ['smaller tree', await one.request(200, 299), 409],
      ['no proof', grown.replace(/old 300\n[\s\S]*?\n\n/, 'old 300\n\n'), 422],
      ['cut proof', grown.replace(/old 300\n[^\n]+\n/, 'old 300\n'), 422],
    ];
    for (const [name, body, status] of cases) {
      expect((await add(url, body)).status, name).toBe(status);
    }
    expect((await add(url, grown)).status).toBe(200);
    // The same sizes from another history, with that history's own valid proof and the log's own key.
    expect((await add(url, await two.request(400, 400))).status).toBe(422);
    expect((await add(url, await two.request(400, 500))).status).toBe(422);
    const evidence = readdirSync(path.join(state, 'evidence'));
    expect(evidence.length).toBeGreaterThanOrEqual(2);
    const texts = evidence.map((name) => readFileSync(path.join(state, 'evidence', name), 'utf8'));
    expect(texts).toContain(two.checkpoint(400));
    const found = await (await fetch(`${url}/${HASH}/checkpoint`)).text();
    expect(found.startsWith(one.checkpoint(400))).toBe(true);
  });

  it('knows two routes and their methods', async () => {
    const { config } = files();
    const { url } = await start(config);
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${url}/${HASH}/checkpoint`, { method: 'POST' })).status).toBe(405);
    for (const other of [
      '',
      'sign-subtree',
      `${HASH}/checkpoint/`,
      `${HASH.toUpperCase()}/checkpoint`,
    ]) {
      expect((await fetch(`${url}/${other}`)).status, other).toBe(404);
    }
  });

  it('bounds bodies, heads and connections, and cuts off who dawdles', async () => {
    const limits = { connectionsCountMax: 4, inFlightCountMax: 2, requestMsMax: 400 };
    const { config } = files([one.key], { limits });
    const { url, port } = await start(config);
    const long = await add(url, 'x'.repeat(70_000)).then(
      ({ status }) => status,
      () => 'cut',
    );
    expect([413, 'cut']).toContain(long);
    // A body without an end: the witness cuts it off, and the writer sees that.
    const endless = connect(port, '127.0.0.1');
    endless.on('error', () => undefined);
    endless.write('POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
    const feed = setInterval(() => endless.write(chunk), 2);
    let reply = '';
    endless.on('data', (bytes: Buffer) => {
      reply += bytes.toString('latin1');
    });
    await once(endless, 'close');
    clearInterval(feed);
    expect(reply === '' || reply.startsWith('HTTP/1.1 413')).toBe(true);
    const dawdler = connect(port, '127.0.0.1');
    dawdler.on('error', () => undefined);
    dawdler.write('POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nold ');
    dawdler.resume();
    await once(dawdler, 'close');
    const crowd = Array.from({ length: 12 }, () => connect(port, '127.0.0.1'));
    let closedCount = 0;
    const refused = new Promise<void>((resolve) => {
      for (const socket of crowd) {
        socket.on('error', () => undefined);
        socket.resume();
        socket.once('close', () => {
          closedCount += 1;
          if (closedCount >= 8) resolve();
        });
      }
    });
    await refused;
    for (const socket of crowd) socket.destroy();
    await expect
      .poll(async () => (await add(url, await one.request(0, 300)).catch(() => undefined))?.status)
      .toBe(200);
  });

  it('ends with its parent', async () => {
    const { config } = files();
    const parent = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], {
      stdio: 'ignore',
    });
    children.push(parent);
    const { child } = await start(config, '--parent-pid', String(parent.pid));
    const ended = once(child, 'exit');
    parent.kill('SIGKILL');
    expect((await ended)[0]).toBe(0);
  });
});

describe('the state of a witness', () => {
  it('stops rather than starts anew when its state is gone', async () => {
    const { config, state } = files();
    rmSync(state, { recursive: true });
    expect(await fails(config)).toContain('witness init');
    mkdirSync(state);
    expect(await fails(config)).toContain('witness init');
  });

  it('names what is wrong with a configuration', async () => {
    const { config, directory } = files();
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, `${text}surprise: 1\n`);
    expect(await fails(config)).toContain('witness.yaml');
    writeFileSync(config, text.replace('key.pem', 'absent.pem'));
    expect(await fails(config)).toContain('absent.pem');
    // A log whose key is the witness's own.
    const own = someFiles([one.key]);
    directories.push(own.directory);
    const { createPrivateKey } = await import('node:crypto');
    const pem = readFileSync(path.join(directory, 'key.pem'), 'utf8');
    const log = aLog(createPrivateKey(pem), { size: 1 });
    const shared = files([log.key]);
    writeFileSync(path.join(shared.directory, 'key.pem'), pem);
    expect(await fails(shared.config)).toContain('must not share its key');
  });

  it('cosigns nothing for a log whose file was edited, cut or replaced', async () => {
    const { config, state } = files();
    const { url } = await start(config);
    await add(url, await one.request(0, 300));
    const [folder = ''] = readdirSync(path.join(state, 'logs'));
    const at = path.join(state, 'logs', folder);
    const version = readdirSync(at).find((name) => /^\d+$/.test(name)) ?? '';
    const file = path.join(at, version);
    const text = readFileSync(file, 'utf8');
    for (const broken of ['', text.slice(0, -9), text.replace('300', '200'), two.checkpoint(400)]) {
      writeFileSync(file, broken);
      expect((await add(url, await one.request(300, 400))).status).toBe(500);
    }
    writeFileSync(file, text);
    expect((await add(url, await one.request(300, 400))).status).toBe(200);
  });

  it('tells one of two stores over the same files yes, whichever was paused meanwhile', async () => {
    const { state } = files();
    const [a, b] = [openFileWitnessStore(state), openFileWitnessStore(state)];
    const step = (store: typeof a, version: number, note: string): Promise<boolean> =>
      store.advance(ORIGIN, { version, size: version, note });
    expect(await Promise.all([step(a, 1, 'a'), step(b, 1, 'b')]).then((yes) => yes.sort())).toEqual(
      [false, true],
    );
    for (const version of [2, 3, 4]) expect(await step(a, version, `a${version}`)).toBe(true);
    // `b` read version 1 long ago; version 2's name is free again.
    expect(readdirSync(path.join(state, 'logs', HASH)).includes('0000000000000002')).toBe(false);
    expect(await step(b, 2, 'b2')).toBe(false);
    expect(await b.find(ORIGIN)).toEqual({ version: 4, note: 'a4' });
  });

  it('is set back by nothing but an older copy of its files, which nobody inside can see', async () => {
    // Stated, not hidden: a restored backup of the state directory is a witness with an older memory.
    const { config, state } = files();
    const first = await start(config);
    await add(first.url, await one.request(0, 300));
    await end(first.child, 'SIGTERM');
    renameSync(path.join(state, 'logs'), path.join(state, 'gone'));
    mkdirSync(path.join(state, 'logs'));
    const again = await start(config);
    expect((await add(again.url, await two.request(0, 400))).status).toBe(200);
  });
});

describe('kill -9 at any moment', () => {
  const RUNS_COUNT = 8;

  /** Asks as a log would: after a conflict with the size it was told. */
  async function push(url: string, log: ALog, size: number): Promise<string | undefined> {
    let oldSize = 0;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const answer = await add(url, await log.request(oldSize, size));
      const text = await answer.text();
      if (answer.status === 200) return text;
      if (answer.status !== 409) return undefined;
      oldSize = Number(text);
      if (oldSize > size) return undefined;
    }
    return undefined;
  }

  it('never lets two processes over one state sign two histories', async () => {
    const { config } = files();
    const seen: { readonly size: number; readonly root: string }[] = [];
    let killsCount = 0;
    const note = (log: ALog, size: number, line: string, key: VerifierKey): void => {
      const { root } = verifyCheckpoint(log.checkpoint(size) + line, {
        log: log.key,
        witnesses: [key],
      });
      seen.push({ size, root: Buffer.from(root).toString('hex') });
    };
    for (let run = 0; run < RUNS_COUNT; run += 1) {
      // Two processes over one directory, each fed by both histories, both killed at a moment of chance.
      const pair = await Promise.all([start(config), start(config)]);
      let isOver = false;
      const feeds = pair.flatMap(({ url, key }) =>
        [one, two].map(async (log) => {
          for (let size = 290 + run * 20; size < 690 && !isOver; size += 1) {
            const line = await push(url, log, size).catch(() => undefined);
            if (line !== undefined) note(log, size, line, key);
          }
        }),
      );
      const target = seen.length + 5 + run * 3;
      const deadlineMs = performance.now() + 10_000;
      while (seen.length < target && performance.now() < deadlineMs) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(pair.map(({ child }) => end(child, 'SIGKILL')));
      killsCount += pair.length;
      isOver = true;
      await Promise.all(feeds);
    }
    expect(killsCount).toBe(RUNS_COUNT * 2);
    expect(seen.length).toBeGreaterThan(RUNS_COUNT * 5);
    const histories = [one, two].filter((log) =>
      seen.every(({ size, root }) => Buffer.from(log.root(size)).toString('hex') === root),
    );
    expect(histories.length).toBeGreaterThanOrEqual(1);
    expect(Math.max(...seen.map(({ size }) => size))).toBeGreaterThan(300);
  });
});
