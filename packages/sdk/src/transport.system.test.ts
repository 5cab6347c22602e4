// SPDX-License-Identifier: Apache-2.0
// Goal: attempts, keys and deadlines as the README says. Method: a real TLS server on loopback under a
// name of its own, with a certificate made for the test.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createAuthority } from '@bailiwick/pki';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openTransport, type Transport } from './transport.ts';

const NAME = 'eu-de.cells.test.localhost';
const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-sdk-'));
let server: Server;
let ca = '';
let port = 0;
let transport: Transport;
let answer: (request: IncomingMessage, response: ServerResponse, attempt: number) => void;
let requests: IncomingMessage[] = [];

beforeAll(async () => {
  const authority = await createAuthority(directory, { trustDomain: 'test.localhost' });
  const at = (name: string): string => path.join(directory, name);
  const files = { certFile: at('c.pem'), keyFile: at('c.key'), bundleFile: at('b.pem') };
  await authority.issueIdentity(files, { dnsNames: [NAME] });
  ca = readFileSync(files.bundleFile, 'utf8');
  server = createServer(
    { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) },
    (request, response) => {
      requests.push(request);
      answer(request, response, requests.length);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  port = typeof address === 'object' && address !== null ? address.port : 0;
  transport = openTransport({ endpoint: { name: NAME, host: '127.0.0.1', port }, ca });
});

afterAll(async () => {
  await transport.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

beforeEach(() => {
  requests = [];
});

function json(response: ServerResponse, status: number, body: unknown): void {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': type, etag: '"3"' }).end(JSON.stringify(body));
}

const problem = (status: number, code: string): object => ({
  title: 't',
  status,
  detail: '',
  code,
});

describe('a transport', () => {
  it('connects to an address under the server’s own name', async () => {
    answer = (request, response) => json(response, 200, { host: request.headers.host });
    const got = await transport.call({ method: 'GET', path: '/x' });
    expect(got).toMatchObject({
      ok: true,
      value: { host: `${NAME}:${port}` },
      meta: { etag: '"3"' },
    });
  });

  it('refuses a server of another name, at once', async () => {
    const wrong = openTransport({
      endpoint: { name: 'us-va.cells.test.localhost', host: '127.0.0.1', port },
      ca,
    });
    const startedAt = performance.now();
    await expect(wrong.call({ method: 'GET', path: '/x' })).rejects.toMatchObject({
      code: 'SDK_CELL_UNREACHABLE',
      details: { reason: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    });
    expect(performance.now() - startedAt).toBeLessThan(2_000);
    await wrong.close();
  });

  it('refuses a server whose authority it does not know', async () => {
    const wrong = openTransport({ endpoint: { name: NAME, host: '127.0.0.1', port } });
    await expect(wrong.call({ method: 'GET', path: '/x' })).rejects.toMatchObject({
      code: 'SDK_CELL_UNREACHABLE',
    });
    await wrong.close();
  });

  it('repeats a POST under one key until it is answered', async () => {
    answer = (_, response, attempt) =>
      attempt < 3
        ? json(response, 503, problem(503, 'CELL_BUSY'))
        : json(response, 201, { done: true });
    const got = await transport.call({ method: 'POST', path: '/x', body: {} });
    expect(got.ok).toBe(true);
    expect(requests).toHaveLength(3);
    const keys = new Set(requests.map(({ headers }) => headers['idempotency-key']));
    expect(keys.size).toBe(1);
  });

  it('repeats after a cut connection, but not a PATCH', async () => {
    answer = (request, response, attempt) =>
      attempt === 1 ? void request.socket.destroy() : json(response, 200, {});
    expect((await transport.call({ method: 'GET', path: '/x' })).ok).toBe(true);
    requests = [];
    await expect(transport.call({ method: 'PATCH', path: '/x', body: {} })).rejects.toMatchObject({
      code: 'SDK_CELL_UNREACHABLE',
    });
    expect(requests).toHaveLength(1);
  });

  it('gives the last problem when the deadline passes', async () => {
    answer = (_, response) => json(response, 503, problem(503, 'KEYS_LEASE_EXPIRED'));
    const startedAt = performance.now();
    const got = await transport.call({ method: 'GET', path: '/x', deadlineMs: 400 });
    expect(got).toMatchObject({ ok: false, problem: { code: 'KEYS_LEASE_EXPIRED' } });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(requests.length).toBeGreaterThan(1);
  });

  it.each([400, 403, 404, 409, 412, 421, 422, 423])('does not repeat a %i', async (status) => {
    answer = (_, response) => json(response, status, problem(status, 'X_Y_Z'));
    const got = await transport.call({ method: 'POST', path: '/x', body: {} });
    expect(got).toMatchObject({ ok: false, problem: { status } });
    expect(requests).toHaveLength(1);
  });

  it('is told when an answer is not what it says', async () => {
    answer = (_, response) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end('{');
    await expect(transport.call({ method: 'GET', path: '/x' })).rejects.toMatchObject({
      code: 'SDK_ANSWER_INVALID',
    });
  });

  it('gives bytes and texts as they are', async () => {
    answer = (_, response) =>
      void response.writeHead(200, { 'content-type': 'application/octet-stream' }).end('ab');
    const got = await transport.call<Buffer>({ method: 'GET', path: '/x' });
    expect(got.ok && Buffer.isBuffer(got.value) && got.value.toString()).toBe('ab');
  });

  it('stops when it is told to', async () => {
    answer = (_, response) => json(response, 503, problem(503, 'CELL_BUSY'));
    const signal = AbortSignal.timeout(150);
    await expect(
      transport.call({ method: 'GET', path: '/x', deadlineMs: 60_000, signal }),
    ).rejects.toMatchObject({ code: 'SDK_DEADLINE_EXCEEDED' });
  });
});
