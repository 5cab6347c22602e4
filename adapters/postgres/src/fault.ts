// SPDX-License-Identifier: Apache-2.0
// What kind of trouble an error of the driver or the server is, so that callers can be told something true
// and useful. Only codes and the driver's own fixed sentences are looked at; nothing of them is passed on.

/**
 * `unreachable`: no connection, or it was lost: the server restarts, fails over or is gone. Whether a
 * transaction that was being committed took effect is unknown. `full`: no room on its disk. `slow`: a
 * statement or a lock took too long.
 */
export type DatabaseFault = 'unreachable' | 'full' | 'slow';

const SERVER_CODES: readonly (readonly [pattern: RegExp, fault: DatabaseFault])[] = [
  // Connection exceptions; shut down by operator, crash or start; too many connections.
  [/^(?:08...|57P0[1-5]|53300)$/, 'unreachable'],
  [/^(?:53100|58030)$/, 'full'],
  // Cancelled by a time limit; a lock not had in time.
  [/^(?:57014|55P03)$/, 'slow'],
];
const SOCKET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);
/** The driver gives these no code (pg 8, lib/client.js and pg-pool). */
const DRIVER_SENTENCES: readonly (readonly [sentence: string, fault: DatabaseFault])[] = [
  ['Connection terminated', 'unreachable'],
  ['Client has encountered a connection error', 'unreachable'],
  ['Client was closed', 'unreachable'],
  ['timeout exceeded when trying to connect', 'unreachable'],
  ['timeout expired', 'unreachable'],
  ['Query read timeout', 'slow'],
];

/** The kind of trouble, or `undefined` for an error that is none of the database's state. */
export function findDatabaseFault(error: unknown): DatabaseFault | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code !== '') {
    if (SOCKET_CODES.has(code) && isOfDriver(error)) return 'unreachable';
    return SERVER_CODES.find(([pattern]) => pattern.test(code))?.[1];
  }
  return DRIVER_SENTENCES.find(([sentence]) => error.message.startsWith(sentence))?.[1];
}

/** Sockets of others fail with the same codes: those errors are wrapped by whoever opened them. */
function isOfDriver(error: Error): boolean {
  return 'syscall' in error || error instanceof AggregateError;
}
