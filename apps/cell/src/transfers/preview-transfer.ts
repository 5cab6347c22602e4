// SPDX-License-Identifier: Apache-2.0
// What would leave: counts, labels and the shape of a record, never a value. It is decided like the
// transfer itself, so nobody learns a number that could not leave, and it is on record.
import type { TransferPreview, TransferRequest } from '@bailiwick/contracts';
import { parseSubjectId } from '@bailiwick/kernel';
import { DenialError } from '../errors.ts';
import { toProblem } from '../problem.ts';
import { toConditions } from '../records/query.ts';
import { findPerson } from '../records/sight.ts';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';
import {
  decideFlows,
  decideTransfer,
  isAboutOne,
  toDestination,
  toFlows,
} from './decide-transfer.ts';
import { CHUNK_COUNT } from './limits.ts';
import {
  assertSupported,
  hashRequest,
  type UnderstoodTransfer,
  understandTransfer,
} from './request-transfer.ts';
import { toTreatments } from './treatments.ts';

/** @throws {DenialError} when it would be denied; {CellError} `TRANSFER_INVALID`, `TRANSFER_UNSUPPORTED` */
export async function previewTransfer(
  runtime: CellRuntime,
  credential: Credential,
  request: TransferRequest,
): Promise<TransferPreview> {
  await runtime.orders.prepare(credential.tenantId);
  const understood = await understandTransfer(runtime, credential, request);
  const verdict = decideTransfer(runtime, { credential, request, ...understood });
  if ('denied' in verdict) {
    await runtime.enforcement.require(credential, verdict.request);
    throw new DenialError(verdict.denied.decision);
  }
  const { obligations, missing, needsConsent, allowed } = verdict;
  const unsupported = findUnsupported(() =>
    assertSupported(runtime, request, { ...understood, obligations }),
  );
  const counted = await countSelection(runtime, {
    ...{ credential, request, understood },
    conditions: missing,
  });
  const { kind, id, location, operator } = toDestination(runtime, request);
  const requestHash = hashRequest(request);
  await runtime.entries.record(credential.tenantId, {
    kind: 'read',
    ...runtime.enforcement.toDraft(credential, allowed),
    facts: { step: 'previewed', request: requestHash, counted: counted.counts.records },
  });
  return {
    outcome:
      unsupported !== undefined ? 'denied' : missing.length > 0 ? 'needs-approval' : 'allowed',
    requestHash,
    missingApprovals: missing,
    needsConsent,
    rules: allowed.decision.rules,
    obligations: obligations.map((one) => one.kind),
    destination: { kind, ...(id === undefined ? {} : { id }), location, operator },
    ...counted,
    shape: toShape(understood, request, { obligations, isKnown: unsupported === undefined }),
    ...(unsupported === undefined ? {} : { problem: unsupported }),
  };
}

/** Why this version cannot do it, as a value: a preview may say so. */
function findUnsupported(check: () => void): TransferPreview['problem'] {
  try {
    check();
    return undefined;
  } catch (error) {
    const { code, detail, status } = toProblem(error);
    if (status >= 500) throw error;
    return { code, ...(detail === undefined ? {} : { detail }) };
  }
}

function toShape(
  { collection, fields }: UnderstoodTransfer,
  request: TransferRequest,
  options: {
    readonly obligations: Parameters<typeof toTreatments>[1]['obligations'];
    readonly isKnown: boolean;
  },
): TransferPreview['shape'] {
  const isRecords = isAboutOne(request) && options.isKnown;
  const treatments = isRecords
    ? toTreatments(collection, { fields, form: request.form, obligations: options.obligations })
    : new Map();
  return [...fields].sort().flatMap((name) => {
    const field = collection.fields.get(name);
    if (field === undefined) return [];
    const { class: dataClass, category } = field.fieldSet;
    const treatment = treatments.get(name) ?? 'left-out';
    return [{ field: name, type: field.type, class: dataClass, category, treatment }];
  });
}

interface CountedRow {
  readonly origin: string;
  readonly regimes: readonly string[];
  readonly records: number;
  readonly size_bytes: string;
}

/** Counts in the database what the labels say; the transfer itself verifies each row. */
async function countSelection(
  runtime: CellRuntime,
  options: {
    readonly credential: Credential;
    readonly request: TransferRequest;
    readonly understood: UnderstoodTransfer;
    /** As if all that is missing were signed. */
    readonly conditions: readonly string[];
  },
): Promise<Pick<TransferPreview, 'counts' | 'labels'>> {
  const { credential, request, understood } = options;
  const { tenantId } = credential;
  const conditions = toConditions(understood.collection, request.selection.where ?? {}, {
    tenantId,
    indexKeys: new Map(),
  });
  const { labels, people } = await runtime.database.withTenant(tenantId, async (tx) => {
    const { rows } = await tx.query<CountedRow>(
      `SELECT r.facts::jsonb ->> 'origin' AS origin, r.facts::jsonb -> 'regimes' AS regimes,
              count(*)::integer AS records, sum(length(r.sealed) + length(r.plain::text)) AS size_bytes
         FROM cell.records r
        WHERE ${conditions.text} AND NOT r.facts::jsonb ? 'copyOf' GROUP BY 1, 2 ORDER BY 1, 2`,
      [...conditions.values],
    );
    const persons = await tx.query<{ readonly subject_id: string; readonly records: number }>(
      `SELECT r.subject_id, count(*)::integer AS records FROM cell.records r
        WHERE ${conditions.text} AND r.subject_id IS NOT NULL AND NOT r.facts::jsonb ? 'copyOf'
        GROUP BY 1`,
      [...conditions.values],
    );
    return { labels: rows, people: persons.rows };
  });
  const records = labels.reduce((sum, row) => sum + row.records, 0);
  const isOneByOne = isAboutOne(request);
  return {
    counts: {
      records,
      people: people.length,
      withheld: isOneByOne ? await countWithheld(runtime, options, people) : 0,
      chunks: isOneByOne ? Math.ceil(records / CHUNK_COUNT) : 1,
      sizeBytes: labels.reduce((sum, row) => sum + Number(row.size_bytes), 0),
    },
    labels: labels.map(({ origin, regimes, records: count }) => ({
      origin,
      regimes,
      records: count,
    })),
  };
}

/** Records whose person's standing would keep them here, judged by the collection's first label. */
async function countWithheld(
  runtime: CellRuntime,
  options: {
    readonly credential: Credential;
    readonly request: TransferRequest;
    readonly understood: UnderstoodTransfer;
    /** As if all that is missing were signed. */
    readonly conditions: readonly string[];
  },
  people: readonly { readonly subject_id: string; readonly records: number }[],
): Promise<number> {
  const { credential, request, understood, conditions } = options;
  const { tenantId } = credential;
  const subjects = people.map(({ subject_id: id }) => parseSubjectId(id));
  const preparing = runtime.standings.prepare(tenantId, subjects);
  if (preparing) await preparing;
  const asker = { credential, purpose: request.purpose };
  const { collection } = understood;
  const labels = understood.labels.slice(0, 1);
  const known = new Map<string, boolean>();
  let withheld = 0;
  for (const [at, { records }] of people.entries()) {
    const person = findPerson(runtime, asker, { collection, subjectId: subjects[at] });
    const id = `${person.standing?.id ?? ''} ${person.subjectId ?? ''}`;
    let isKept = known.get(id);
    if (isKept === undefined) {
      const question = { credential, request, conditions, ...understood, labels, person };
      isKept = !('allowed' in decideFlows(runtime, toFlows(runtime, question)));
      known.set(id, isKept);
    }
    if (isKept) withheld += records;
  }
  return withheld;
}
