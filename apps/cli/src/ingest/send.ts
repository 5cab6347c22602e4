// SPDX-License-Identifier: Apache-2.0
// Sends each cell its records in bounded chunks, several in flight, and waits for a cell that is away.
// Ids make it repeatable: what arrived before answers "unchanged".
import type { ImportResult, RecordDraft } from '@bailiwick/contracts';
import { type Cell, unwrap } from '@bailiwick/sdk';
import { CHUNK_RECORDS_COUNT_MAX, CHUNK_SIZE_BYTES_MAX, IN_FLIGHT_COUNT_MAX } from './limits.ts';

/** What a cell answered to one chunk, with the countries that its lines came from. */
export interface ChunkOutcome {
  readonly residency: string;
  readonly result: ImportResult;
  /** Line number to country. */
  readonly countries: ReadonlyMap<number, string>;
}

export interface SendPorts {
  cellOf(residency: string): Promise<Cell>;
  onOutcome(outcome: ChunkOutcome): void;
}

export interface Sender {
  /** Takes a record; waits while too much is under way. */
  send(record: {
    readonly residency: string;
    readonly line: number;
    readonly country: string;
    readonly draft: RecordDraft;
  }): Promise<void>;
  /** Sends what is left and waits for all answers. */
  finish(): Promise<void>;
}

interface Lane {
  lines: string[];
  sizeBytes: number;
  countries: Map<number, string>;
  readonly inFlight: Set<Promise<void>>;
}

/** Makes a sender into one collection. The first failure stops it: `send` and `finish` throw it. */
export function createSender(
  ports: SendPorts,
  options: {
    readonly collection: string;
    readonly deadlineMs: number;
    readonly purpose?: string;
  },
): Sender {
  const lanes = new Map<string, Lane>();
  let failure: { readonly error: unknown } | undefined;
  const failIfFailed = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const post = async (residency: string, lane: Lane): Promise<void> => {
    const { lines, countries } = lane;
    lane.lines = [];
    lane.countries = new Map();
    lane.sizeBytes = 0;
    const cell = await ports.cellOf(residency);
    const answer = await cell.collection(options.collection).import(`${lines.join('\n')}\n`, {
      deadlineMs: options.deadlineMs,
      ...(options.purpose === undefined ? {} : { purpose: options.purpose }),
    });
    ports.onOutcome({ residency, result: unwrap(answer), countries });
  };
  const flush = async (residency: string, lane: Lane): Promise<void> => {
    while (lane.inFlight.size >= IN_FLIGHT_COUNT_MAX) await Promise.race(lane.inFlight);
    failIfFailed();
    if (lane.lines.length === 0) return;
    const sent: Promise<void> = post(residency, lane)
      .catch((error: unknown) => {
        failure ??= { error };
      })
      .finally(() => lane.inFlight.delete(sent));
    lane.inFlight.add(sent);
  };
  return {
    async send({ residency, line, country, draft }) {
      failIfFailed();
      const lane = lanes.get(residency) ?? createLane();
      lanes.set(residency, lane);
      const text = JSON.stringify({ line, ...draft });
      const sizeBytes = Buffer.byteLength(text) + 1;
      if (
        lane.lines.length >= CHUNK_RECORDS_COUNT_MAX ||
        (lane.lines.length > 0 && lane.sizeBytes + sizeBytes > CHUNK_SIZE_BYTES_MAX)
      ) {
        await flush(residency, lane);
      }
      lane.lines.push(text);
      lane.sizeBytes += sizeBytes;
      lane.countries.set(line, country);
    },
    async finish() {
      for (const [residency, lane] of lanes) await flush(residency, lane);
      for (const lane of lanes.values()) await Promise.all(lane.inFlight);
      failIfFailed();
    },
  };
}

function createLane(): Lane {
  return { lines: [], sizeBytes: 0, countries: new Map(), inFlight: new Set() };
}
