// SPDX-License-Identifier: Apache-2.0
// What the parts of a cell in memory share.
import type { CollectionSchema } from '@bailiwick/contracts';
import type { Caller } from '../caller.ts';
import type { MemoryKeys } from './memory-keys.ts';

/** What a refusal needs to become a problem document. */
export class MemoryProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

/** What the routes share. */
export interface MemoryState {
  readonly residency: string;
  readonly tenant: string;
  readonly keys: MemoryKeys;
  readonly collections: Map<string, CollectionSchema>;
  readonly regimesOf: (origin: string) => readonly string[];
}

export type Request = Parameters<Caller>[0];
export type Route = readonly [
  method: Request['method'],
  path: RegExp,
  run: (parameters: readonly string[], request: Request) => unknown,
];

/** The work of the route that a request meets; undefined when there is none. */
export function findRoute(routes: readonly Route[], request: Request): (() => unknown) | undefined {
  const [path = ''] = request.path.split('?');
  for (const [method, pattern, run] of routes) {
    const match = method === request.method ? pattern.exec(path) : null;
    if (match !== null) {
      const parameters = match.slice(1).map((part) => decodeURIComponent(part ?? ''));
      return () => run(parameters, request);
    }
  }
  return undefined;
}

/** A body comes from this library's own `createCell`: its shape is what the method's types say. */
export function parseBody<T>(body: unknown): T {
  return body as T;
}
