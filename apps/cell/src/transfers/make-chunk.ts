// SPDX-License-Identifier: Apache-2.0
// Makes the next chunk of a transfer: read, decided for each label and each person, treated. Whoever is
// denied is withheld; a label that is denied ends the transfer.
import { randomBytes } from 'node:crypto';
import type { ChunkRecord, TransferChunk } from '@bailiwick/contracts';
import type { Consent, RecordId, SubjectId } from '@bailiwick/kernel';
import { createPseudonymiser, type Pseudonymiser } from '@bailiwick/keys';
import { DenialError } from '../errors.ts';
import { findPerson, type Person } from '../records/sight.ts';
import type { CellRuntime } from '../runtime.ts';
import {
  type Decided,
  decideFlows,
  type Label,
  type TransferQuestion,
  toFlows,
} from './decide-transfer.ts';
import { CHUNK_LENGTH_MAX } from './limits.ts';
import { type HomeRecord, readChunk } from './read-chunk.ts';
import { type UnderstoodTransfer, understandTransfer } from './request-transfer.ts';
import type { TransferRow } from './transfer-store.ts';
import { type Treatments, toTreatments, treatFields } from './treatments.ts';

/** A chunk that may be sent now, and what is entered of it. */
export interface MadeChunk {
  readonly chunk: TransferChunk;
  /** Absent where nobody's record goes along. */
  readonly allowed: Decided | undefined;
  readonly recordIds: readonly RecordId[];
  readonly subjectIds: readonly SubjectId[];
  readonly withheldCount: number;
  readonly leftOutCount: number;
  /** Decides all of it once more. @throws {DenialError}; false: somebody has withdrawn since */
  isStillAllowed(): Promise<boolean>;
}

/** `undefined` when there is nothing more. @throws {DenialError} */
export async function makeChunk(
  runtime: CellRuntime,
  transfer: TransferRow,
  countMax: number,
): Promise<MadeChunk | undefined> {
  const { tenantId, transferId, request, credential } = transfer;
  const whole = await understandTransfer(runtime, credential, request, []);
  const { collection, fields } = whole;
  const read = await readChunk(runtime, {
    ...{ tenantId, collection, fields },
    where: request.selection.where ?? {},
    after: transfer.through,
    count: countMax,
  });
  if (read.through === undefined) return undefined;
  await prepareFacts(runtime, tenantId, read.records);
  const judge = new Judge(runtime, transfer, { ...whole, labels: toLabels(read.records) });
  const { idKey } = await runtime.keys.secrets(tenantId);
  const pseudonyms =
    request.form === 'pseudonymised' ? createPseudonymiser(idKey, transferId) : undefined;
  const { taken, ...made } = fill(judge, { transfer, read, pseudonyms });
  return {
    ...made,
    async isStillAllowed() {
      await prepareFacts(runtime, tenantId, taken);
      const again = judge.anew();
      return taken.every((record) => again.judge(record) !== undefined);
    },
  };
}

/** Has what people have said and authorities have ordered ready, as it stands now. */
async function prepareFacts(
  runtime: CellRuntime,
  tenantId: TransferRow['tenantId'],
  records: readonly HomeRecord[],
): Promise<void> {
  const people = records.map(({ subjectId }) => subjectId);
  await runtime.standings.prepare(tenantId, people);
  await runtime.orders.prepare(tenantId);
}

function fill(
  judge: Judge,
  options: {
    readonly transfer: TransferRow;
    readonly read: Awaited<ReturnType<typeof readChunk>>;
    readonly pseudonyms: Pseudonymiser | undefined;
  },
): Omit<MadeChunk, 'isStillAllowed'> & { readonly taken: readonly HomeRecord[] } {
  const { transfer, read, pseudonyms } = options;
  const taken: HomeRecord[] = [];
  const records: ChunkRecord[] = [];
  let withheldCount = 0;
  let length = 0;
  let through = read.through ?? '';
  for (const record of read.records) {
    const verdict = judge.judge(record);
    if (verdict === undefined) {
      withheldCount += 1;
      continue;
    }
    const made = toChunkRecord(record, verdict, pseudonyms);
    length += JSON.stringify(made).length;
    if (length > CHUNK_LENGTH_MAX && records.length > 0) {
      // The rest is the next chunk's; what was withheld among it is counted there.
      through = taken.at(-1)?.recordId ?? through;
      break;
    }
    taken.push(record);
    records.push(made);
  }
  const salt = randomBytes(32).toString('hex');
  const isWhole = through === read.through;
  return {
    chunk: { v: 1, chunk: transfer.chunkCount + 1, through, salt, records },
    allowed: judge.first(),
    recordIds: taken.map(({ recordId }) => recordId),
    subjectIds: taken.flatMap(({ subjectId }) => subjectId ?? []),
    withheldCount,
    leftOutCount: isWhole ? read.leftOutCount : 0,
    taken,
  };
}

/** Each label once. */
function toLabels(records: readonly HomeRecord[]): readonly Label[] {
  const labels = new Map<string, Label>();
  for (const { origin, regimes } of records) {
    labels.set(`${origin} ${regimes.join()}`, { origin, regimes });
  }
  return [...labels.values()];
}

interface RecordVerdict {
  readonly treatments: Treatments;
  readonly consent: Consent | undefined;
}

/** Remembers what was decided for each label and each standing, for one chunk. */
class Judge {
  readonly #runtime: CellRuntime;
  readonly #transfer: TransferRow;
  readonly #understood: UnderstoodTransfer;
  readonly #known = new Map<string, RecordVerdict | undefined>();
  #first: Decided | undefined;

  constructor(runtime: CellRuntime, transfer: TransferRow, understood: UnderstoodTransfer) {
    this.#runtime = runtime;
    this.#transfer = transfer;
    this.#understood = understood;
  }

  anew(): Judge {
    return new Judge(this.#runtime, this.#transfer, this.#understood);
  }

  /** The flow that the entry tells; `undefined` where nobody's record goes along. */
  first(): Decided | undefined {
    return this.#first;
  }

  /** `undefined`: this person's data stays. @throws {DenialError} where the label alone is denied */
  judge({ origin, regimes, subjectId }: HomeRecord): RecordVerdict | undefined {
    const { credential, request } = this.#transfer;
    const { collection } = this.#understood;
    const asker = { credential, purpose: request.purpose };
    const person = findPerson(this.#runtime, asker, { collection, subjectId });
    const id = `${origin} ${regimes.join()} ${person.standing?.id ?? ''} ${person.subjectId ?? ''}`;
    if (this.#known.has(id)) return this.#known.get(id);
    const verdict = this.#judge({ origin, regimes }, person);
    this.#known.set(id, verdict);
    return verdict;
  }

  #judge(
    label: { readonly origin: string; readonly regimes: readonly string[] },
    person: Person,
  ): RecordVerdict | undefined {
    const labels = [label];
    const outcome = this.#decide({ labels, person });
    if ('allowed' in outcome) {
      this.#first ??= outcome.allowed;
      const { collection, fields } = this.#understood;
      const { form } = this.#transfer.request;
      const { obligations } = outcome;
      const treatments = toTreatments(collection, { fields, form, obligations });
      return { treatments, consent: person.standing?.consent };
    }
    // Denied for what is known of this person, or would it be for anybody?
    const anybody = this.#decide({ labels });
    if ('allowed' in anybody || 'allowed' in this.#decide({ labels, consent: 'given' })) {
      return undefined;
    }
    throw new DenialError(anybody.denied.decision);
  }

  #decide(
    options: Pick<TransferQuestion, 'labels' | 'person' | 'consent'>,
  ): ReturnType<typeof decideFlows> {
    const { credential, request, conditions } = this.#transfer;
    const question = { credential, request, conditions, ...this.#understood, ...options };
    return decideFlows(this.#runtime, toFlows(this.#runtime, question));
  }
}

function toChunkRecord(
  record: HomeRecord,
  { treatments, consent }: RecordVerdict,
  pseudonyms: Pseudonymiser | undefined,
): ChunkRecord {
  const { recordId, subjectId, version: _version, fields, ...label } = record;
  const subject =
    subjectId === undefined || pseudonyms === undefined
      ? subjectId
      : pseudonyms.id('subject', subjectId);
  return {
    id: pseudonyms === undefined ? recordId : pseudonyms.id('record', recordId),
    ...(subject === undefined ? {} : { subject }),
    ...label,
    ...(consent === undefined ? {} : { consent }),
    fields: treatFields(fields, treatments, pseudonyms),
  };
}
