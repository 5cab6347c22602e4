// SPDX-License-Identifier: Apache-2.0
// Follows the directory of the control plane. What verified last is kept on disk and in use for as long
// as control is gone; an older serial never replaces a newer one.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { RouterConfig } from '@bailiwick/contracts';
import { type DssePinnedKey, parsePinnedKey } from '@bailiwick/keys';
import { type Identity, mtlsClientOptions } from '@bailiwick/pki';
import type { Log } from '@bailiwick/telemetry';
import { RouterError } from './errors.ts';
import { DIRECTORY_SIZE_BYTES_MAX, PULL_PAUSE_MS_MAX, PULL_WAIT_MS } from './limits.ts';
import { NO_ROUTES, type Routes, verifyRoutes } from './routes.ts';

const FILE_NAME = 'directory.json';
const ANSWER_MS_MAX = 10_000;

export interface DirectoryPuller {
  /** The routes in force now. */
  routes(): Routes;
  start(): void;
  stop(): void;
}

export interface DirectoryPorts {
  readonly identity: Identity;
  readonly log: Log;
}

/** One question to control. @throws {RouterError} `ROUTER_CONTROL_UNREACHABLE` */
async function ask(
  identity: Identity,
  config: RouterConfig['control'],
  options: { readonly after: number; readonly signal: AbortSignal },
): Promise<unknown> {
  const url = new URL(config.url);
  url.pathname = '/v1/router-directory';
  url.search = `?after=${options.after}&waitMs=${PULL_WAIT_MS}`;
  const fail = (cause?: unknown): RouterError =>
    new RouterError('ROUTER_CONTROL_UNREACHABLE', 'control did not answer', { cause });
  return await new Promise<unknown>((resolve, reject) => {
    const outgoing = request(
      {
        ...mtlsClientOptions(identity, { expect: config.spiffeId }),
        host: url.hostname,
        port: url.port === '' ? 443 : Number(url.port),
        path: `${url.pathname}${url.search}`,
        agent: false,
        signal: AbortSignal.any([
          options.signal,
          AbortSignal.timeout(PULL_WAIT_MS + ANSWER_MS_MAX),
        ]),
      },
      (response) => {
        const chunks: Buffer[] = [];
        let sizeBytes = 0;
        response.on('data', (chunk: Buffer) => {
          sizeBytes += chunk.length;
          if (sizeBytes > DIRECTORY_SIZE_BYTES_MAX) outgoing.destroy(fail());
          else chunks.push(chunk);
        });
        response.on('error', (cause) => reject(fail(cause)));
        response.on('end', () => {
          if (response.statusCode !== 200) return reject(fail());
          try {
            resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')));
          } catch (cause) {
            reject(fail(cause));
          }
        });
      },
    );
    outgoing.on('error', (cause) => reject(cause instanceof RouterError ? cause : fail(cause)));
    outgoing.end();
  });
}

function readDirectory(answer: unknown): unknown {
  return typeof answer === 'object' && answer !== null && 'directory' in answer
    ? answer.directory
    : undefined;
}

/** What was kept from before; a file that does not verify is told and not used. */
function loadKept(file: string, keys: readonly DssePinnedKey[], log: Log): Routes {
  if (!existsSync(file)) return NO_ROUTES;
  try {
    const envelope: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return verifyRoutes(envelope, keys);
  } catch (error) {
    log.error('the kept directory cannot be used', { error });
    return NO_ROUTES;
  }
}

export function createDirectoryPuller(
  ports: DirectoryPorts,
  config: RouterConfig,
): DirectoryPuller {
  const { identity, log } = ports;
  const keys = config.control.bundleKeys.map(parsePinnedKey);
  const file = path.join(config.state, FILE_NAME);
  const stop = new AbortController();
  let routes = loadKept(file, keys, log);
  const pull = async (): Promise<void> => {
    const answer = await ask(identity, config.control, {
      after: routes.serial,
      signal: stop.signal,
    });
    const envelope = readDirectory(answer);
    if (envelope === undefined) return;
    const next = verifyRoutes(envelope, keys);
    // SECURITY: an old directory, played back, could lead callers to a home of yesterday.
    if (next.serial <= routes.serial) {
      throw new RouterError('ROUTER_DIRECTORY_REFUSED', 'the directory is not newer');
    }
    const temporary = `${file}.${randomUUID()}`;
    writeFileSync(temporary, JSON.stringify(envelope), { mode: 0o600 });
    renameSync(temporary, file);
    routes = next;
    log.info('a directory was taken', { serial: next.serial });
  };
  const follow = async (): Promise<void> => {
    let failuresCount = 0;
    while (!stop.signal.aborted) {
      const startedMs = performance.now();
      try {
        await pull();
        failuresCount = 0;
      } catch (error) {
        if (stop.signal.aborted) return;
        failuresCount += 1;
        if (failuresCount === 1) log.warn('the directory could not be pulled', { error });
      }
      // Never faster than `pollMs`, and ever slower while control is gone.
      const pauseMs = Math.min(config.control.pollMs * 2 ** failuresCount, PULL_PAUSE_MS_MAX);
      const elapsedMs = failuresCount === 0 ? performance.now() - startedMs : 0;
      const restMs = Math.max(0, pauseMs - elapsedMs);
      await wait(restMs, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
    }
  };
  return {
    routes: () => routes,
    start: () => void follow(),
    stop: () => stop.abort(),
  };
}
