// SPDX-License-Identifier: Apache-2.0
// A cell in memory for users' unit tests: the same interface, real seals, decisions by the real engine
// where one is given. Deliberately absent: accounts and roles, masking, transfers, the ledger's tree, row
// security. A test that passes here says that your code asks rightly, not that a charter allows it.
import { randomUUID } from 'node:crypto';
import {
  type CollectionSchema,
  type EntryAnswer,
  parseCollectionSchema,
  toProblemType,
} from '@bailiwick/contracts';
import type { Decision, Flow } from '@bailiwick/kernel';
import type { Answer } from '../answer.ts';
import type { Caller } from '../caller.ts';
import { type Cell, createCell } from '../cell.ts';
import type { WireFlow } from '../wire.ts';
import { MemoryKeys } from './memory-keys.ts';
import { MemoryRecords } from './memory-records.ts';
import {
  findRoute,
  MemoryProblem,
  type MemoryState,
  parseBody,
  type Route,
} from './memory-state.ts';
import { openValues, sealValues } from './memory-values.ts';

/** What decides: `createEngine` of `@bailiwick/policy` fits. */
export interface MemoryEngine {
  decide(flow: Flow): Decision;
  explain?(flow: Flow): { readonly decision: Decision };
}

export interface MemoryCellOptions {
  readonly residency?: string;
  readonly tenant?: string;
  /** Without an engine every decision is a denial: nothing is allowed that nobody has decided. */
  readonly engine?: MemoryEngine;
  /** Collections that are there from the start. */
  readonly collections?: Readonly<Record<string, CollectionSchema>>;
  /** Regimes of what is sealed here, by origin; `gdpr` where none are given. */
  readonly regimesOf?: (origin: string) => readonly string[];
}

/** A cell and a look behind it. */
export interface MemoryCell extends Cell {
  /** Facts that were entered, oldest first. */
  readonly entered: readonly EntryAnswer[];
}

const TENANT = '0190b0de-7a5c-7c3e-8f00-0000000000aa';
const KEY_ID = '0190b0de-7a5c-7c3e-8f00-0000000000bb';

/**
 * Makes a cell in memory.
 *
 * ```ts
 * const cell = createMemoryCell({ engine: createEngine(charter, { serial: 1 }), collections });
 * await myShop(cell).takeOrder(order);
 * ```
 */
export function createMemoryCell(options: MemoryCellOptions = {}): MemoryCell {
  const { residency = 'eu-de', tenant = TENANT } = options;
  const state: MemoryState = {
    residency,
    tenant,
    keys: new MemoryKeys(),
    collections: new Map(
      Object.entries(options.collections ?? {}).map(([id, schema]) => [
        id,
        parseCollectionSchema(schema),
      ]),
    ),
    regimesOf: options.regimesOf ?? (() => ['gdpr']),
  };
  const entered: EntryAnswer[] = [];
  let isEnabled = true;
  const routes: readonly Route[] = [
    ...toDoorRoutes(state, options, entered),
    ...toCollectionRoutes(state),
    ...new MemoryRecords(state).routes(),
  ];
  const keyRoutes = toKeyRoutes(
    (next) => {
      isEnabled = next;
    },
    () => isEnabled,
  );
  const call: Caller = async <T>(request: Parameters<Caller>[0]): Promise<Answer<T>> => {
    try {
      const own = findRoute(keyRoutes, request);
      if (own === undefined && !isEnabled) {
        throw new MemoryProblem(423, 'KEYS_CUSTOMER_KEY_DISABLED', 'the customer key is disabled');
      }
      const run = own ?? findRoute(routes, request);
      if (run === undefined) {
        throw new MemoryProblem(404, 'CELL_NOT_FOUND', 'a cell in memory has no such route');
      }
      return toAnswer<T>(await run());
    } catch (error) {
      return toRefusal(error);
    }
  };
  const cell = createCell(call, {
    residency,
    cellId: `${residency}/main`,
    name: 'memory.localhost',
  });
  return { ...cell, entered };
}

/** The value of a route; routes of this module make what their signature says. */
function toAnswer<T>(value: unknown): Answer<T> {
  return parseAnswer<T>({
    ok: true,
    value,
    meta: { status: 200, requestId: randomUUID(), etag: undefined },
  });
}

function parseAnswer<T>(answer: { ok: true; value: unknown; meta: Answer<T>['meta'] }): Answer<T> {
  return answer as Answer<T>;
}

function toRefusal(error: unknown): Answer<never> {
  const isOurs = error instanceof MemoryProblem;
  const status = isOurs ? error.status : 400;
  const code = isOurs ? error.code : 'CELL_INPUT_INVALID';
  const title = error instanceof Error ? error.message : 'refused';
  const problem = { type: toProblemType(code), title, status, detail: title, code };
  return { ok: false, problem, meta: { status, requestId: randomUUID(), etag: undefined } };
}

function toKeyRoutes(set: (isEnabled: boolean) => void, get: () => boolean): readonly Route[] {
  const describe = (): object => ({
    keyId: KEY_ID,
    kind: 'customer-key',
    state: get() ? 'enabled' : 'disabled',
  });
  return [
    ['GET', /^\/v1\/keys$/, () => ({ items: [describe()] })],
    [
      'POST',
      /^\/v1\/keys\/([^/]+)\/(disablements|enablements)$/,
      ([keyId, action]) => {
        if (keyId !== KEY_ID) throw new MemoryProblem(404, 'KEYS_KEY_UNKNOWN', 'no such key');
        set(action === 'enablements');
        return describe();
      },
    ],
    ['GET', /^\/v1\/health$/, () => ({ status: 'serving' })],
  ];
}

function toDoorRoutes(
  state: MemoryState,
  options: MemoryCellOptions,
  entered: EntryAnswer[],
): readonly Route[] {
  return [
    [
      'POST',
      /^\/v1\/decisions$/,
      (_, { body }) => {
        const { flows } = parseBody<{ readonly flows: readonly WireFlow[] }>(body);
        return { items: flows.map((flow) => decide(options.engine, flow)) };
      },
    ],
    ['POST', /^\/v1\/seals$/, (_, { body }) => ({ items: sealValues(state, parseBody(body)) })],
    [
      'POST',
      /^\/v1\/openings$/,
      (_, { body }) => ({ items: openValues(state, parseBody(body)), entry: randomUUID() }),
    ],
    [
      'POST',
      /^\/v1\/blind-indexes$/,
      (_, { body }) => {
        const { collection, field, value } = parseBody<Record<string, string>>(body);
        return { index: state.keys.toIndex(`${collection}/${field}`, String(value)) };
      },
    ],
    [
      'POST',
      /^\/v1\/entries$/,
      (_, { body }) => {
        const { entries } = parseBody<{ readonly entries: readonly { facts: object }[] }>(body);
        const items = entries.map(({ facts }) => {
          const entry = { entry: randomUUID(), body: { kind: 'observation', facts } };
          entered.push(entry);
          return { entryId: entry.entry, leafHash: '' };
        });
        return { items };
      },
    ],
    ['GET', /^\/v1\/entries$/, () => ({ items: [...entered].reverse() })],
    [
      'POST',
      /^\/v1\/erasures$/,
      (_, { body }) => {
        const { subject } = parseBody<{ readonly subject: string }>(body);
        const id = state.keys.toId('subject', subject);
        return { subjectId: id, isErased: state.keys.erase(`subject ${id}`) };
      },
    ],
  ];
}

function toCollectionRoutes({ collections }: MemoryState): readonly Route[] {
  const describe = (id: string, schema: CollectionSchema): object => ({
    collectionId: id,
    version: 1,
    ...schema,
  });
  return [
    [
      'PUT',
      /^\/v1\/collections\/([^/]+)$/,
      ([id = ''], { body }) => {
        collections.set(id, parseCollectionSchema(body));
        return describe(id, parseCollectionSchema(body));
      },
    ],
    [
      'GET',
      /^\/v1\/collections\/([^/]+)$/,
      ([id = '']) => {
        const schema = collections.get(id);
        if (schema !== undefined) return describe(id, schema);
        throw new MemoryProblem(404, 'COLLECTION_UNKNOWN', 'there is no such collection');
      },
    ],
    [
      'GET',
      /^\/v1\/collections$/,
      () => ({ items: [...collections].map(([id, schema]) => describe(id, schema)) }),
    ],
  ];
}

function decide(engine: MemoryEngine | undefined, wire: WireFlow): Decision {
  const { at, consent, conditions, ...rest } = wire;
  const flow: Flow = {
    ...rest,
    consent: consent ?? 'absent',
    conditions: [...(conditions ?? [])].sort(),
    atMs: at === undefined ? Date.now() : Date.parse(at),
  };
  if (engine !== undefined) return engine.explain?.(flow).decision ?? engine.decide(flow);
  return {
    outcome: 'deny',
    rules: [],
    reasons: [],
    obligations: [],
    cause: 'no-rule',
    nearest: [],
    charter: { hash: '', serial: 0 },
  };
}
