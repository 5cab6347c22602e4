// SPDX-License-Identifier: Apache-2.0
// Goal: a round takes a cosignature only when it is one, whatever a witness answers, and no witness holds
// it up. Method: a real ledger in a real PostgreSQL; witnesses that lie over HTTP in one way each; the real
// witness process behind TLS that asks for a certificate.
import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { CosignerConfig } from '@bailiwick/contracts';
import { type Clock, parseCellId, parseTenantId, type Random } from '@bailiwick/kernel';
import {
  createCosigner,
  parseAddCheckpoint,
  parseNote,
  toVerifierKeyText,
  verifyCheckpoint,
} from '@bailiwick/ledger';
import { createAuthority } from '@bailiwick/pki';
import type { Database } from '@bailiwick/postgres';
import { type TestDatabase, withTestDatabase } from '@bailiwick/postgres/testing';
import { openLog } from '@bailiwick/telemetry';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type CellLedger, createCellLedger } from '../ledger/cell-ledger.ts';
import { findCosigned } from './cosigned-store.ts';
import { CLOCK_SKEW_SECONDS_MAX, ROUND_MS_MAX } from './limits.ts';
import { openWitnessClient, type WitnessClientPorts } from './witness-client.ts';
import { createWitnessRounds, type WitnessRounds } from './witness-rounds.ts';

const clock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
const random: Random = { bytes: (size) => randomBytes(size) };
const tenantId = parseTenantId('0198c0de-0000-7000-8000-00000000000a');
const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
const ENTRY = path.resolve(import.meta.dirname, '../../../witness/src/main.ts');
// No cell stands behind these clients: neither identity nor law is asked for.
const ports = { law: { find: () => undefined } } as unknown as WitnessClientPorts;

type Answer = { readonly status: number; readonly body: string };

describe('a round', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-rounds-'));
  const servers: Server[] = [];
  const open: WitnessRounds[] = [];
  let test: TestDatabase;
  let database: Database;
  let ledger: CellLedger;

  beforeAll(async () => {
    test = await withTestDatabase();
    database = test.open(4);
    const cellId = parseCellId('eu-de/main');
    const log = openLog({ component: 'test' });
    ledger = createCellLedger({
      ...{ cellId, epoch: 1, privateKey: newKey(), database, clock, random, log },
    });
    ledger.start();
    await grow();
  });
  afterEach(async () => {
    for (const rounds of open.splice(0)) await rounds.stop();
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
  afterAll(async () => {
    await ledger.stop();
    await test.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const grow = async (): Promise<number> => {
    const { entryId } = await ledger.entries.record(tenantId, { kind: 'decision' });
    await ledger.entries.awaitCheckpoint(entryId, { timeoutMs: 5_000 });
    return (await ledger.store.readCheckpoint(1))?.size ?? 0;
  };
  const roundsWith = (...cosigners: readonly CosignerConfig[]): WitnessRounds => {
    const clients = cosigners.map((cosigner) => openWitnessClient(ports, cosigner));
    const log = openLog({ component: 'test' });
    const rounds = createWitnessRounds(
      { ledger, database, clients, clock, random, log },
      { intervalMs: 1000 },
    );
    open.push(rounds);
    return rounds;
  };
  /** A witness that answers as told; `cosign` makes a genuine line over what was asked. */
  const aWitness = async (
    name: string,
    answer: (
      cosign: (atSeconds: number, note?: string) => string,
      body: string,
    ) => Answer | Promise<Answer>,
  ): Promise<CosignerConfig> => {
    const cosigner = createCosigner({ name, privateKey: newKey() });
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = Buffer.concat(chunks).toString('utf8');
      const { checkpoint } = parseAddCheckpoint(body);
      const cosign = (atSeconds: number, note = checkpoint): string =>
        cosigner.cosign(parseNote(note).text, { atSeconds });
      const given = await answer(cosign, body);
      response.writeHead(given.status, { 'content-type': 'text/plain' }).end(given.body);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const key = toVerifierKeyText(cosigner.verifierKey);
    return { kind: 'external', key, url: `http://127.0.0.1:${port}/prefix` };
  };
  const nowSeconds = (): number => Math.floor(Date.now() / 1000);

  it('takes what is genuine and timely, beside witnesses that lie in one way each', async () => {
    const far = CLOCK_SKEW_SECONDS_MAX + 30;
    const good = await aWitness('good.example/w', (cosign) => ({
      status: 200,
      body: cosign(nowSeconds()),
    }));
    const liars = await Promise.all([
      aWitness('early.example/w', (cosign) => ({ status: 200, body: cosign(nowSeconds() - far) })),
      aWitness('late.example/w', (cosign) => ({ status: 200, body: cosign(nowSeconds() + far) })),
      aWitness('other.example/w', (cosign) => ({
        status: 200,
        body: cosign(nowSeconds(), 'another/log\n1\nAAAA\n\n\u2014 x AAAAAAAA\n'),
      })),
      aWitness('cut.example/w', (cosign) => ({
        status: 200,
        body: `${cosign(nowSeconds()).slice(0, -12)}\n`,
      })),
      aWitness('empty.example/w', () => ({ status: 200, body: '' })),
      aWitness('note.example/w', () => ({ status: 200, body: '\n\u2014 x AAAAAAAA\n' })),
    ]);
    const rounds = roundsWith(good, ...liars);
    const note = (await rounds.round()) ?? '';
    expect(parseNote(note).signatures.map(({ name }) => name)).toEqual([
      ledger.verifierKey.name,
      'good.example/w',
    ]);
    expect(rounds.state.cosignaturesCount).toBe(1);
    const { 'good.example/w': standing, ...others } = rounds.state.standings;
    expect(standing).toBe('cosigned');
    expect(new Set(Object.values(others))).toEqual(new Set(['implausible']));
    expect((await findCosigned(database, { epoch: 1, quorum: 2 }))?.note).toBe(note);
  });

  it('waits for nobody longer than its time, and for what is too long not at all', async () => {
    const good = await aWitness('good.example/w', (cosign) => ({
      status: 200,
      body: cosign(nowSeconds()),
    }));
    const silent = await aWitness('silent.example/w', () => new Promise(() => undefined));
    const long = await aWitness('long.example/w', () => ({
      status: 200,
      body: 'x'.repeat(40_000),
    }));
    const odd = await aWitness('odd.example/w', () => ({ status: 409, body: 'many\n' }));
    const away: CosignerConfig = { ...good, kind: 'external', url: 'http://127.0.0.1:1' };
    const rounds = roundsWith(good, silent, long, odd, away);
    const startedMs = performance.now();
    expect(await rounds.round()).toBeDefined();
    expect(performance.now() - startedMs).toBeLessThan(ROUND_MS_MAX + 500);
    expect(rounds.state.standings).toMatchObject({
      'silent.example/w': 'unreachable',
      'long.example/w': 'unreachable',
      'odd.example/w': 'unreachable',
    });
  });

  it('says what a refusal means: set back, or rewritten', async () => {
    const ahead = await aWitness('ahead.example/w', () => ({ status: 409, body: '1000000\n' }));
    const forked = await aWitness('forked.example/w', () => ({ status: 422, body: 'no\n' }));
    const unknown = await aWitness('unknown.example/w', () => ({ status: 404, body: 'no\n' }));
    const broken = await aWitness('broken.example/w', () => ({ status: 500, body: 'no\n' }));
    const rounds = roundsWith(ahead, forked, unknown, broken);
    expect(await rounds.round()).toBeUndefined();
    expect(rounds.state).toMatchObject({
      cosignaturesCount: 0,
      standings: {
        'ahead.example/w': 'ahead',
        'forked.example/w': 'refused',
        'unknown.example/w': 'refused',
        'broken.example/w': 'unreachable',
      },
    });
  });

  it('sends nothing but an old size, hashes and the signed checkpoint', async () => {
    const bodies: string[] = [];
    const good = await aWitness('good.example/w', (cosign, body) => {
      bodies.push(body);
      return { status: 200, body: cosign(nowSeconds()) };
    });
    const rounds = roundsWith(good);
    await rounds.round();
    await grow();
    await rounds.round();
    const signed =
      /^old \d+\n(?:[A-Za-z0-9+/]{43}=\n)*\neu-de\/main\/ledger\/1\n\d+\n[A-Za-z0-9+/]{43}=\n\n\u2014 eu-de\/main\/ledger\/1 [A-Za-z0-9+/]+=*\n$/;
    expect(bodies.length).toBe(2);
    for (const body of bodies) expect(body).toMatch(signed);
  });

  it('shows a quorum in preference to a newer checkpoint with fewer', async () => {
    const make = (name: string): Promise<CosignerConfig> =>
      aWitness(name, (cosign) => ({ status: 200, body: cosign(nowSeconds()) }));
    const [a, b] = [await make('a.example/w'), await make('b.example/w')];
    const size = await grow();
    await roundsWith(a, b).round();
    await grow();
    await roundsWith(a).round();
    const find = (quorum: number) => findCosigned(database, { epoch: 1, quorum });
    expect(await find(2)).toMatchObject({ size, cosignaturesCount: 2 });
    expect(await find(1)).toMatchObject({ cosignaturesCount: 1 });
    expect((await find(1))?.size).toBeGreaterThan(size);
    expect(await find(3)).toMatchObject({ size, cosignaturesCount: 2 });
  });

  it('asks the witness process over TLS with a certificate, and is cut off without one', async () => {
    const at = (name: string): string => path.join(directory, name);
    const authority = await createAuthority(at('ca'), { trustDomain: 'bailiwick.localhost' });
    const files = (name: string) => ({
      certFile: at(`${name}.pem`),
      keyFile: at(`${name}.key`),
      bundleFile: at('bundle.pem'),
    });
    await authority.issueIdentity(files('server'), { dnsNames: ['localhost'] });
    await authority.issueIdentity(files('client'), {
      spiffeId: 'spiffe://bailiwick.localhost/cell/eu-de/main',
    });
    const witnessKey = newKey();
    writeFileSync(at('witness.key'), witnessKey.export({ type: 'pkcs8', format: 'pem' }));
    mkdirSync(at('logs'));
    const { certFile, keyFile, bundleFile } = files('server');
    const config = {
      name: 'witness.example/w1',
      keyFile: at('witness.key'),
      listen: { host: '127.0.0.1', port: 0 },
      tls: { certFile, keyFile, clientCaFile: bundleFile },
      state: at('state'),
      logs: [toVerifierKeyText(ledger.verifierKey)],
      telemetry: { directory: at('logs') },
    };
    writeFileSync(at('witness.yaml'), stringify(config));
    const run = (...args: string[]) =>
      spawn(process.execPath, [ENTRY, '--config', at('witness.yaml'), ...args], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    await once(run('--init'), 'close');
    const child = run();
    try {
      const [line] = await once(child.stdout, 'data');
      const { port, verifierKey: key } = JSON.parse(String(line));
      const url = `https://localhost:${port}`;
      const { certFile: own, keyFile: ownKey } = files('client');
      const base = { kind: 'external', key, url, caFile: bundleFile } as const;
      const rounds = roundsWith({ ...base, certFile: own, keyFile: ownKey });
      const note = (await rounds.round()) ?? '';
      expect(verifyCheckpoint(note, { log: ledger.verifierKey }).note.signatures.length).toBe(2);
      const bare = roundsWith(base);
      expect(await bare.round()).toBeUndefined();
      expect(bare.state.standings).toEqual({ 'witness.example/w1': 'unreachable' });
      const distrustful = roundsWith({
        kind: 'external',
        key,
        url,
        certFile: own,
        keyFile: ownKey,
      });
      expect(await distrustful.round()).toBeUndefined();
    } finally {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    }
  });
});
