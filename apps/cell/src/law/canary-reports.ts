// SPDX-License-Identifier: Apache-2.0
// Tells the control plane what the candidate of this process did: counts and rule ids, cumulative, so that
// what is told twice counts once. A candidate that stopped by itself is entered before it is told.
import { randomUUID } from 'node:crypto';
import type { RolloutReport } from '@bailiwick/contracts';
import type { Log } from '@bailiwick/telemetry';
import type { PeerClient } from '../control/peer-client.ts';
import type { EntryWriter } from '../services.ts';
import type { CanaryTally } from './canary.ts';
import type { CellLaw } from './law.ts';

export interface CanaryReportPorts {
  readonly law: CellLaw;
  readonly control: PeerClient;
  readonly entries: EntryWriter;
  readonly log: Log;
}

export interface CanaryReports {
  start(): void;
  stop(): void;
  /** Tells what is new; nothing when nothing is. */
  tell(): Promise<void>;
}

const PERIOD_MS = 500;
const TELL_MS_MAX = 5_000;

/** Makes the reports of this process. */
export function createCanaryReports(ports: CanaryReportPorts): CanaryReports {
  const replica = randomUUID();
  const entered = new WeakSet<CanaryTally>();
  let told: { readonly tally: CanaryTally; readonly revision: number } | undefined;
  let isTelling = false;
  let timer: NodeJS.Timeout | undefined;
  const enterStop = async (tally: CanaryTally): Promise<void> => {
    if (tally.stoppedBy === undefined || entered.has(tally)) return;
    const { decided, stricter, errors } = tally.figures();
    const { serial: charterSerial, textHash } = tally.candidate;
    await ports.entries.record(undefined, {
      kind: 'observation',
      facts: {
        what: 'candidate-stopped',
        ...{ charterSerial, textHash, decided, stricter, errors },
        limit: tally.stoppedBy,
      },
    });
    entered.add(tally);
    ports.log.warn('a candidate charter stopped by itself', {
      serial: charterSerial,
      kind: tally.stoppedBy,
    });
  };
  const tell = async (): Promise<void> => {
    const tally = ports.law.find()?.canary?.tally;
    if (tally === undefined || isTelling) return;
    const { revision, stoppedBy } = tally;
    if (told?.tally === tally && told.revision === revision) return;
    isTelling = true;
    try {
      await enterStop(tally);
      const report: RolloutReport = {
        v: 1,
        serial: tally.candidate.serial,
        replica,
        ...tally.figures(),
        ...(stoppedBy === undefined ? {} : { stoppedBy }),
      };
      const { status } = await ports.control.call({
        method: 'POST',
        path: '/v1/rollout-reports',
        body: report,
        timeoutMs: TELL_MS_MAX,
      });
      if (status >= 200 && status < 300) told = { tally, revision };
    } finally {
      isTelling = false;
    }
  };
  return {
    tell,
    start() {
      timer ??= setInterval(() => {
        // The control plane may be away: figures are cumulative, the next report has everything.
        tell().catch((error: unknown) => ports.log.debug('candidate not told', { error }));
      }, PERIOD_MS);
      timer.unref();
    },
    stop: () => clearInterval(timer),
  };
}
