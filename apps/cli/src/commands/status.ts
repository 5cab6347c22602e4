// SPDX-License-Identifier: Apache-2.0
// `bailiwick status`: which parts answer, and whether the law is fresh. Anything away exits with 5.
import process from 'node:process';
import { openTransport } from '@bailiwick/sdk';
import type { ClientConfig } from '../config.ts';
import { readText } from '../connect.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit.ts';
import { getCharter, openConfiguredOperator } from '../operator.ts';
import { toTable } from '../output.ts';
import type { Input } from './run.ts';

interface Part {
  readonly part: string;
  readonly address: string;
  readonly isUp: boolean;
  readonly detail: string;
}

const DEADLINE_MS = 1_500;

/** Runs `bailiwick status`. */
export async function runStatus(context: Context, _input: Input): Promise<void> {
  const config = await context.config();
  const parts = await Promise.all([
    checkControl(context, config),
    checkRouter(config),
    ...Object.keys(config.cells).map((residency) => checkCell(config, residency)),
  ]);
  context.output.result({ v: 1, parts }, () =>
    toTable(
      ['part', 'address', 'state', 'detail'],
      parts.map(({ part, address, isUp, detail }) => [part, address, isUp ? 'up' : 'away', detail]),
    ),
  );
  if (parts.some(({ isUp }) => !isUp)) process.exitCode = EXIT.unavailable;
}

function toReason(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
}

async function checkControl(context: Context, config: ClientConfig): Promise<Part> {
  const { control } = config;
  const part = {
    part: 'control',
    address: control === undefined ? '' : `127.0.0.1:${control.port}`,
  };
  if (control === undefined) return { ...part, isUp: false, detail: 'not configured' };
  try {
    const operator = openConfiguredOperator(config);
    context.closers.push(() => operator.close());
    const { serial } = await getCharter(operator, { deadlineMs: DEADLINE_MS });
    return { ...part, isUp: true, detail: `charter serial ${serial}` };
  } catch (error) {
    return { ...part, isUp: false, detail: toReason(error) };
  }
}

async function checkRouter({ directory, caFile }: ClientConfig): Promise<Part> {
  const router = directory?.router;
  const part = {
    part: 'router',
    address: router === undefined ? '' : `${router.host}:${router.port}`,
  };
  if (router === undefined) return { ...part, isUp: false, detail: 'not configured' };
  const transport = openTransport({
    endpoint: router,
    ...(caFile === undefined ? {} : { ca: readText(caFile, 'the CA bundle') }),
  });
  try {
    // Anything but discovery is answered 421: an answer all the same.
    const answer = await transport.call({ method: 'GET', path: '/', deadlineMs: DEADLINE_MS });
    return { ...part, isUp: true, detail: `answers ${answer.meta.status}` };
  } catch (error) {
    return { ...part, isUp: false, detail: toReason(error) };
  } finally {
    await transport.close();
  }
}

async function checkCell(config: ClientConfig, residency: string): Promise<Part> {
  const cell = config.cells[residency];
  const part = {
    part: `cell ${residency}`,
    address: cell === undefined ? '' : `${cell.host}:${cell.port}`,
  };
  if (cell === undefined) return { ...part, isUp: false, detail: 'not configured' };
  const { caFile } = config;
  const transport = openTransport({
    endpoint: cell,
    ...(caFile === undefined ? {} : { ca: readText(caFile, 'the CA bundle') }),
  });
  try {
    const answer = await transport.call<Readonly<Record<string, unknown>>>({
      method: 'GET',
      path: '/v1/health',
      deadlineMs: DEADLINE_MS,
    });
    return answer.ok
      ? { ...part, isUp: true, detail: toHealth(answer.value) }
      : { ...part, isUp: false, detail: answer.problem.code };
  } catch (error) {
    return { ...part, isUp: false, detail: toReason(error) };
  } finally {
    await transport.close();
  }
}

function toHealth(health: Readonly<Record<string, unknown>>): string {
  return Object.entries(health)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(', ');
}
