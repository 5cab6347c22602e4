// SPDX-License-Identifier: Apache-2.0
// One real system for all black-box tests of a vitest run. It starts when the first test asks and ends
// with the run; tests ask this process over loopback, because each test file has a process of its own.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { TestProject } from 'vitest/node';
import { createPlace, type Demo, startDemo } from './demo.ts';
import type { SharedPlace } from './shared.ts';

/** Small enough to start in seconds, large enough that every step of the story has its figures. */
const SIZE = ['--customers', '700', '--orders', '2800'] as const;

interface Started {
  readonly place: SharedPlace;
  readonly demo: Demo;
  remove(): void;
}

async function start(): Promise<Started> {
  const { remove, ...place } = await createPlace();
  try {
    const demo = await startDemo(place, [...SIZE]);
    guard(demo);
    return {
      demo,
      place: { ...place, story: demo.running.stdout(), pid: demo.running.pid },
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Ends the system also when this process is killed: the pipe to the watcher closes. */
function guard({ running }: Demo): void {
  const watcher = spawn(
    '/bin/sh',
    ['-c', 'read -r _; kill -TERM "$1"', 'sh', String(running.pid)],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    },
  );
  watcher.unref();
  void running.ended.finally(() => watcher.kill('SIGKILL'));
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  let started: Promise<Started> | undefined;
  const server = createServer((_request, response) => {
    started ??= start();
    started.then(
      ({ place }) => response.end(JSON.stringify(place)),
      (error: unknown) => {
        response.statusCode = 500;
        response.end(error instanceof Error ? error.message : 'unknown');
      },
    );
  });
  server.requestTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  project.provide('sharedSystemUrl', `http://127.0.0.1:${address.port}/`);
  return async () => {
    server.close();
    server.closeAllConnections();
    const system = await started?.catch(() => undefined);
    await system?.demo.interrupt();
    system?.remove();
  };
}
