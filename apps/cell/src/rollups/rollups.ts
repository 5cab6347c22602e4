// SPDX-License-Identifier: Apache-2.0
// Tells the control plane once a minute how much of what happened in this cell: counters of a closed list,
// of the whole cell. A minute that cannot be told is told with the next; nothing waits for it.
import { ROLLUP_COUNTERS, type Rollup, type RollupCounter } from '@bailiwick/contracts';
import { type Clock, toInstant } from '@bailiwick/kernel';
import type { CounterFigure, Log } from '@bailiwick/telemetry';
import type { PeerClient } from '../control/peer-client.ts';

export interface RollupPorts {
  readonly clock: Clock;
  readonly control: PeerClient;
  readonly log: Log;
  readonly figures: () => readonly CounterFigure[];
}

export interface Rollups {
  start(): void;
  /** Tells what was counted since the last time. */
  tell(): Promise<void>;
  stop(): void;
}

const PERIOD_MS = 60_000;
const TELL_MS_MAX = 5_000;

type Source = readonly [name: string, attribute: string, value: string];

/** Where each counter of the roll-up comes from. */
const SOURCES: Readonly<Record<RollupCounter, Source | undefined>> = {
  'decisions-allowed': ['bailiwick.decisions', 'outcome', 'allow'],
  'decisions-denied': ['bailiwick.decisions', 'outcome', 'deny'],
  'records-written': ['bailiwick.entry_records', 'kind', 'write'],
  'records-read': ['bailiwick.entry_records', 'kind', 'read'],
  'records-deleted': ['bailiwick.entry_records', 'kind', 'delete'],
  'records-refused': ['bailiwick.entries', 'kind', 'refusal'],
  seals: ['bailiwick.entry_records', 'kind', 'seal'],
  openings: ['bailiwick.entry_records', 'kind', 'open'],
  transfers: ['bailiwick.entries', 'kind', 'transfer'],
  entries: ['bailiwick.entries', '', ''],
  erasures: ['bailiwick.entries', 'kind', 'erasure'],
  'key-actions': ['bailiwick.entries', 'kind', 'key'],
  misdirected: ['bailiwick.entries', 'kind', 'misdirected'],
  'late-releases': ['bailiwick.entries', 'kind', 'late-release'],
};

/** Sums the figures of this process into the counters of a roll-up. */
export function toCounters(figures: readonly CounterFigure[]): Record<RollupCounter, number> {
  const totals = ROLLUP_COUNTERS.map((counter): [RollupCounter, number] => {
    const [name, attribute, value] = SOURCES[counter] ?? ['', '', ''];
    const matching = figures.filter(
      (figure) =>
        figure.name === name && (attribute === '' || figure.attributes[attribute] === value),
    );
    return [counter, matching.reduce((sum, figure) => sum + figure.value, 0)];
  });
  return Object.fromEntries(totals) as Record<RollupCounter, number>;
}

/** Makes the roll-ups of this process. */
export function createRollups(ports: RollupPorts): Rollups {
  let told: Partial<Record<RollupCounter, number>> = {};
  let timer: NodeJS.Timeout | undefined;
  const tell = async (): Promise<void> => {
    const totals = toCounters(ports.figures());
    const counters: Partial<Record<RollupCounter, number>> = {};
    for (const counter of ROLLUP_COUNTERS) {
      const since = totals[counter] - (told[counter] ?? 0);
      if (since > 0) counters[counter] = since;
    }
    if (Object.keys(counters).length === 0) return;
    const periodMs = Math.floor(ports.clock.nowMs() / PERIOD_MS) * PERIOD_MS;
    const rollup: Rollup = {
      v: 1,
      periodStart: toInstant(periodMs),
      periodMs: PERIOD_MS,
      counters,
    };
    const { status } = await ports.control.call({
      method: 'POST',
      path: '/v1/rollups',
      body: rollup,
      timeoutMs: TELL_MS_MAX,
    });
    if (status >= 200 && status < 300) told = totals;
  };
  return {
    tell,
    start() {
      timer ??= setInterval(() => {
        // The control plane may be away for days: what is not told is told later.
        tell().catch((error: unknown) => ports.log.debug('roll-up not told', { error }));
      }, PERIOD_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
