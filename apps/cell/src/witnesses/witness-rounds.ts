// SPDX-License-Identifier: Apache-2.0
// Rounds in which this cell's newest checkpoint goes to its witnesses and their cosignatures come back. A
// round begins at a fixed cadence whether or not anything was logged, so that it tells nothing about
// traffic; one round at a time; each witness has the same short while, and none waits for another.
import type { Clock, Random } from '@bailiwick/kernel';
import {
  LedgerError,
  parseCheckpoint,
  parseNote,
  type SignedCheckpoint,
  toAddCheckpointText,
  toSignatureLine,
  verifyCheckpoint,
} from '@bailiwick/ledger';
import type { Database } from '@bailiwick/postgres';
import type { Log } from '@bailiwick/telemetry';
import { CellError } from '../errors.ts';
import type { CellLedger } from '../ledger/cell-ledger.ts';
import { saveCosigned } from './cosigned-store.ts';
import {
  CLOCK_SKEW_SECONDS_MAX,
  COMPLAINT_INTERVAL_MS,
  JITTER_SHARE,
  ROUND_MS_MAX,
} from './limits.ts';
import type { WitnessClient } from './witness-client.ts';

/** What a witness's last answer means for this cell. */
export type WitnessStanding =
  | 'unknown'
  | 'cosigned'
  | 'unreachable'
  /** It has cosigned more than this cell has: the ledger was set back. */
  | 'ahead'
  /** It says that this ledger does not continue what it cosigned, or does not know it. */
  | 'refused'
  | 'implausible';

/** How this cell stands with its witnesses; for health and figures. */
export interface RoundsState {
  /** Size of the last checkpoint that a witness cosigned, and by how many. */
  readonly size: number;
  readonly cosignaturesCount: number;
  readonly standings: Readonly<Record<string, WitnessStanding>>;
}

export interface WitnessRoundsPorts {
  readonly ledger: Pick<CellLedger, 'epoch' | 'store' | 'prover' | 'verifierKey'>;
  readonly database: Database;
  readonly clients: readonly WitnessClient[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Present: a checkpoint goes out only once what it covers lies outside the database as well. */
  readonly copy?: { reach(size: number): Promise<void> } | undefined;
}

export interface WitnessRounds {
  readonly state: RoundsState;
  start(): void;
  /** One round, now. Gives the cosigned checkpoint, if any witness cosigned. */
  round(): Promise<string | undefined>;
  stop(): Promise<void>;
}

const CONFLICT = 409;

/** Makes the rounds; nothing runs before `start`. */
export function createWitnessRounds(
  ports: WitnessRoundsPorts,
  { intervalMs }: { readonly intervalMs: number },
): WitnessRounds {
  return new Rounds(ports, intervalMs);
}

class Rounds implements WitnessRounds {
  readonly #ports: WitnessRoundsPorts;
  readonly #intervalMs: number;
  readonly #end = new AbortController();
  /** Size that each witness is believed to have cosigned last. */
  readonly #sizes = new Map<WitnessClient, number>();
  readonly #standings = new Map<WitnessClient, WitnessStanding>();
  readonly #complaints = new Map<WitnessClient, number>();
  #loop: Promise<void> | undefined;
  #cosigned = { size: 0, cosignaturesCount: 0 };

  constructor(ports: WitnessRoundsPorts, intervalMs: number) {
    this.#ports = ports;
    this.#intervalMs = intervalMs;
  }

  get state(): RoundsState {
    const standings = this.#ports.clients.map(
      (client) => [client.key.name, this.#standings.get(client) ?? 'unknown'] as const,
    );
    return { ...this.#cosigned, standings: Object.fromEntries(standings) };
  }

  start(): void {
    if (this.#ports.clients.length > 0) this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#loop;
    await Promise.all(this.#ports.clients.map((client) => client.close()));
  }

  async #run(): Promise<void> {
    const { clock, random, log } = this.#ports;
    const { signal } = this.#end;
    let dueMs = clock.monotonicMs();
    while (!signal.aborted) {
      await this.round().catch((error: unknown) => log.warn('witness round failed', { error }));
      // A round that took longer than the interval leaves out those it ran into; none is made up for.
      const nowMs = clock.monotonicMs();
      dueMs += this.#intervalMs;
      if (dueMs < nowMs) dueMs = nowMs;
      const jitterMs = ((random.bytes(1)[0] ?? 0) / 255) * this.#intervalMs * JITTER_SHARE;
      await rest(dueMs - nowMs + jitterMs, signal);
    }
  }

  async round(): Promise<string | undefined> {
    const { ledger, database, clients, clock, log } = this.#ports;
    const stored = await ledger.store.readCheckpoint(ledger.epoch);
    if (stored === undefined || this.#end.signal.aborted) return undefined;
    const checkpoint = parseCheckpoint(parseNote(stored.note).text);
    await this.#ports.copy?.reach(checkpoint.size);
    const limit = AbortSignal.any([this.#end.signal, AbortSignal.timeout(ROUND_MS_MAX)]);
    const lines = await Promise.all(
      clients.map((client) =>
        this.#ask(client, { note: stored.note, size: checkpoint.size, signal: limit }).catch(
          (error: unknown) => {
            this.#complain(client, 'unreachable', error);
            return '';
          },
        ),
      ),
    );
    const given = lines.filter((line) => line !== '');
    if (given.length === 0) return undefined;
    const note = stored.note + given.join('');
    const { size } = checkpoint;
    const cosignaturesCount = given.length;
    const atSeconds = Math.floor(clock.nowMs() / 1000);
    await saveCosigned(database, { epoch: ledger.epoch, size, cosignaturesCount, note, atSeconds });
    this.#cosigned = { size, cosignaturesCount };
    log.debug('checkpoint cosigned', { count: cosignaturesCount, epoch: ledger.epoch });
    return note;
  }

  /** Gives the cosignature's line, or nothing. */
  async #ask(client: WitnessClient, asked: Asked): Promise<string> {
    const { size } = asked;
    const known = this.#sizes.get(client) ?? 0;
    let reply = await this.#submit(client, asked, Math.min(known, size));
    if (reply.status === CONFLICT) {
      const theirs = parseSize(reply.body);
      this.#sizes.set(client, theirs);
      if (theirs > size) {
        // Another replica may have signed and submitted more since this round began.
        const { ledger } = this.#ports;
        const newest = await ledger.store.readCheckpoint(ledger.epoch);
        if ((newest?.size ?? 0) < theirs) this.#complain(client, 'ahead');
        return '';
      }
      reply = await this.#submit(client, asked, theirs);
    }
    if (reply.status === CONFLICT) {
      this.#sizes.set(client, parseSize(reply.body));
      return '';
    }
    if (reply.status !== 200) {
      this.#complain(client, reply.status >= 500 ? 'unreachable' : 'refused', undefined, reply);
      return '';
    }
    const line = this.#readCosignature(client, asked.note, reply.body);
    if (line === undefined) {
      this.#complain(client, 'implausible');
      return '';
    }
    this.#sizes.set(client, size);
    this.#standings.set(client, 'cosigned');
    this.#complaints.delete(client);
    return line;
  }

  async #submit(
    client: WitnessClient,
    { note, size, signal }: Asked,
    oldSize: number,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const hashes =
      oldSize === 0 || oldSize === size
        ? []
        : await this.#ports.ledger.prover.proveConsistency({ oldSize, size });
    const body = toAddCheckpointText({ oldSize, hashes, checkpoint: note });
    return client.addCheckpoint(body, { signal });
  }

  /** SECURITY: only a line of the pinned key that verifies over this very checkpoint, with a time of now. */
  #readCosignature(client: WitnessClient, note: string, answer: string): string | undefined {
    const { ledger, clock } = this.#ports;
    let checkpoint: SignedCheckpoint;
    try {
      const witnesses = [client.key];
      checkpoint = verifyCheckpoint(note + answer, { log: ledger.verifierKey, witnesses });
    } catch (error) {
      if (error instanceof LedgerError) return undefined;
      throw error;
    }
    const nowSeconds = clock.nowMs() / 1000;
    const isTimely = checkpoint.signers.some(
      ({ key, atSeconds = 0 }) =>
        key === client.key && Math.abs(atSeconds - nowSeconds) <= CLOCK_SKEW_SECONDS_MAX,
    );
    const signature = checkpoint.note.signatures.find(
      ({ name, id }) => name === client.key.name && id === client.key.id,
    );
    return isTimely && signature !== undefined ? toSignatureLine(signature) : undefined;
  }

  #complain(
    client: WitnessClient,
    standing: WitnessStanding,
    error?: unknown,
    reply?: { readonly status: number },
  ): void {
    const { log, clock } = this.#ports;
    if (this.#end.signal.aborted) return;
    const isNew = this.#standings.get(client) !== standing;
    const toldAtMs = this.#complaints.get(client) ?? Number.NEGATIVE_INFINITY;
    this.#standings.set(client, standing);
    if (!isNew && clock.monotonicMs() - toldAtMs < COMPLAINT_INTERVAL_MS) return;
    this.#complaints.set(client, clock.monotonicMs());
    const hash = client.key.id.toString(16).padStart(8, '0');
    const fields = { hash, outcome: standing, ...(reply ?? {}), ...(error ? { error } : {}) };
    if (standing === 'unreachable') log.warn('a witness does not answer', fields);
    // Somebody must look: either this ledger was rewritten or set back, or a witness is wrong.
    else log.error('a witness does not cosign', fields);
  }
}

interface Asked {
  readonly note: string;
  readonly size: number;
  readonly signal: AbortSignal;
}

function parseSize(body: string): number {
  const [, digits] = /^(0|[1-9]\d{0,15})\n$/.exec(body) ?? [];
  const size = Number(digits);
  if (digits !== undefined && Number.isSafeInteger(size)) return size;
  throw new CellError('PEER_UNREACHABLE', 'the witness gave no size');
}

async function rest(waitMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, waitMs));
  signal.addEventListener('abort', () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}
