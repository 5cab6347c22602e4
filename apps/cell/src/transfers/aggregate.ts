// SPDX-License-Identifier: Apache-2.0
// From records to groups with counts and sums. What a dimension's value may look like is fixed by the
// delivery's format; a record that has none goes into no group and is only counted as left out.
import {
  CONTRIBUTION_COUNT_MAX,
  DELIVERY_DIMENSIONS,
  type DeliveryDimension,
  type DeliveryGroup,
  type DeliveryMeasure,
  type FieldValue,
  type TransferDimension,
  type TransferMeasure,
  type TransferRequest,
} from '@bailiwick/contracts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { CellError } from '../errors.ts';
import { type Group, selectPublished } from './suppression.ts';

/** What an aggregate needs of one record. */
export interface AggregatedRecord {
  readonly subjectId: string | undefined;
  readonly origin: string;
  readonly residency: string;
  readonly lawDate: string;
  readonly fields: Readonly<Record<string, FieldValue>>;
}

interface Dimension {
  readonly dimension: DeliveryDimension;
  /** Absent: from the label. */
  readonly field: string | undefined;
  readonly pattern: RegExp;
  /** Of a histogram. */
  readonly edges?: readonly number[];
}

interface Measure {
  readonly measure: DeliveryMeasure;
  readonly field: string;
  readonly times: string | undefined;
  readonly min: number;
  readonly max: number;
}

/** What is to be computed, checked against the collection's schema. */
export interface AggregatePlan {
  readonly dimensions: readonly Dimension[];
  readonly measures: readonly Measure[];
  readonly minimumCount: number;
  /** Records of one person that count. */
  readonly contributionMax: number;
  /** Names of all fields that are read. */
  readonly fields: readonly string[];
}

export interface Aggregated {
  readonly groups: readonly DeliveryGroup[];
  readonly suppressedCount: number;
  readonly recordCount: number;
  /** Records without a value for a dimension or a measure. */
  readonly leftOutCount: number;
  /** Records beyond what one person may contribute. */
  readonly cappedCount: number;
}

function refuse(pointer: string, detail: string): never {
  throw new CellError('TRANSFER_INVALID', detail, { places: [{ pointer, detail }] });
}

/** Checks what is asked for. @throws {CellError} `TRANSFER_INVALID` with the place */
export function toPlan(
  collection: CompiledCollection,
  aggregate: NonNullable<TransferRequest['aggregate']>,
): AggregatePlan {
  const dimensions = aggregate.groupBy.map((one, at) => toDimension(collection, one, at));
  const measures = aggregate.measures.map((one, at) => toMeasure(collection, one, at));
  const names = dimensions.map(({ dimension }) => dimension);
  if (new Set(names).size < names.length) refuse('/aggregate/groupBy', 'each dimension once');
  const sums = measures.map(({ measure }) => measure);
  if (new Set(sums).size < sums.length) refuse('/aggregate/measures', 'each measure once');
  const fields = [
    ...dimensions.flatMap(({ field }) => field ?? []),
    ...measures.flatMap(({ field, times }) => (times === undefined ? [field] : [field, times])),
  ];
  const { minimumCount, contributionMax = CONTRIBUTION_COUNT_MAX } = aggregate;
  return {
    dimensions,
    measures,
    minimumCount,
    contributionMax,
    fields: [...new Set(fields)].sort(),
  };
}

function toDimension(
  collection: CompiledCollection,
  asked: TransferDimension,
  at: number,
): Dimension {
  const dimension = typeof asked === 'string' ? asked : asked.dimension;
  const pattern = new RegExp(DELIVERY_DIMENSIONS[dimension]);
  const pointer = `/aggregate/groupBy/${at}`;
  if (dimension === 'bucket') return toHistogram(collection, asked, pointer);
  if (typeof asked === 'string') {
    const isField = collection.fields.get(asked)?.type === 'text';
    if (!isField && dimension === 'currency') refuse(pointer, 'the collection has no such field');
    return { dimension, field: isField ? asked : undefined, pattern };
  }
  if (asked.edges !== undefined) refuse(`${pointer}/edges`, 'only a histogram has edges');
  const type = collection.fields.get(asked.field)?.type;
  const isReadable = type === 'text' || type === 'date' || type === 'instant';
  if (!isReadable) refuse(`${pointer}/field`, 'expected a text, a date or an instant');
  return { dimension, field: asked.field, pattern };
}

function toHistogram(
  collection: CompiledCollection,
  asked: TransferDimension,
  pointer: string,
): Dimension {
  if (typeof asked === 'string') return refuse(pointer, 'a histogram needs a field and edges');
  const { field, edges = [] } = asked;
  const type = collection.fields.get(field)?.type;
  if (type !== 'number' && type !== 'integer')
    refuse(`${pointer}/field`, 'expected a number field');
  const isRising = edges.every((edge, at) => at === 0 || edge > (edges[at - 1] ?? edge));
  if (edges.length === 0 || !isRising) refuse(`${pointer}/edges`, 'expected rising edges');
  return { dimension: 'bucket', field, edges, pattern: new RegExp(DELIVERY_DIMENSIONS.bucket) };
}

function toMeasure(collection: CompiledCollection, asked: TransferMeasure, at: number): Measure {
  const { measure, field, times, min, max } =
    typeof asked === 'string'
      ? { measure: asked, field: asked, times: undefined, min: undefined, max: undefined }
      : asked;
  const bounds = { min: min ?? -Infinity, max: max ?? Infinity };
  if (bounds.min > bounds.max) refuse(`/aggregate/measures/${at}`, 'expected `min` below `max`');
  for (const name of times === undefined ? [field] : [field, times]) {
    const type = collection.fields.get(name)?.type;
    if (type !== 'number' && type !== 'integer') {
      refuse(`/aggregate/measures/${at}`, 'expected the name of a number field');
    }
  }
  return { measure, field, times, ...bounds };
}

interface Cell extends Group {
  readonly key: string;
  readonly subjects: Set<string>;
  unnamedCount: number;
  count: number;
  readonly sums: number[];
}

/** Takes records one by one and gives what may leave. */
export class Aggregation {
  readonly #plan: AggregatePlan;
  readonly #cells = new Map<string, Omit<Cell, 'contributors'>>();
  #recordCount = 0;
  readonly #contributed = new Map<string, number>();
  #leftOutCount = 0;
  #cappedCount = 0;

  constructor(plan: AggregatePlan) {
    this.#plan = plan;
  }

  add(record: AggregatedRecord): void {
    this.#recordCount += 1;
    const values = this.#plan.dimensions.map((dimension) => toValue(dimension, record));
    const amounts = this.#plan.measures.map((measure) => toAmount(measure, record));
    if (!values.every(isPresent) || !amounts.every(isPresent)) {
      this.#leftOutCount += 1;
      return;
    }
    if (!this.#isCounted(record)) return;
    const key = values.join(' ');
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      const sums = amounts.map(() => 0);
      cell = { key, values, subjects: new Set(), unnamedCount: 0, count: 0, sums };
      this.#cells.set(key, cell);
    }
    cell.count += 1;
    if (record.subjectId === undefined) cell.unnamedCount += 1;
    else cell.subjects.add(record.subjectId);
    for (const [index, amount] of amounts.entries()) {
      cell.sums[index] = (cell.sums[index] ?? 0) + amount;
    }
  }

  /** SECURITY: one person moves no figure by more than a bounded number of records. */
  #isCounted({ subjectId }: AggregatedRecord): boolean {
    if (subjectId === undefined) return true;
    const count = (this.#contributed.get(subjectId) ?? 0) + 1;
    if (count > this.#plan.contributionMax) {
      this.#cappedCount += 1;
      return false;
    }
    this.#contributed.set(subjectId, count);
    return true;
  }

  /** `minimumCount` is the largest of what the caller, the charter and the format ask for. */
  finish(minimumCount: number): Aggregated {
    const cells = [...this.#cells.values()]
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .map((cell) => ({ ...cell, contributors: cell.subjects.size + cell.unnamedCount }));
    const published = selectPublished(cells, { minimumCount });
    return {
      groups: published.map(({ values, count, sums }) => ({
        values,
        count,
        // Sums of decimal fractions carry binary dust, which would make equal figures differ.
        sums: sums.map((sum) => Math.round(sum * 1e6) / 1e6),
      })),
      suppressedCount: cells.length - published.length,
      recordCount: this.#recordCount,
      leftOutCount: this.#leftOutCount,
      cappedCount: this.#cappedCount,
    };
  }
}

function isPresent<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function toValue(
  { dimension, field, pattern, edges }: Dimension,
  record: AggregatedRecord,
): string | undefined {
  if (edges !== undefined) {
    const amount = record.fields[field ?? ''];
    if (typeof amount !== 'number') return undefined;
    return `b${edges.filter((edge) => amount >= edge).length}`;
  }
  const text = field === undefined ? toLabelText(dimension, record) : record.fields[field];
  if (typeof text !== 'string') return undefined;
  const value = toForm(dimension, text);
  return pattern.test(value) ? value : undefined;
}

function toLabelText(dimension: DeliveryDimension, record: AggregatedRecord): string {
  switch (dimension) {
    case 'country':
    case 'subdivision':
      return record.origin;
    case 'residency':
      return record.residency;
    default:
      return record.lawDate;
  }
}

/** Cuts a date, or a place, down to what the dimension tells. */
function toForm(dimension: DeliveryDimension, text: string): string {
  switch (dimension) {
    case 'country':
      return /^[a-z]{2}-[a-z0-9]{1,3}$/.test(text) ? text.slice(0, 2) : text;
    case 'year':
      return text.slice(0, 4);
    case 'month':
      return text.slice(0, 7);
    case 'quarter':
      return /^\d{4}-\d{2}/.test(text)
        ? `${text.slice(0, 4)}-q${Math.ceil(Number(text.slice(5, 7)) / 3)}`
        : text;
    default:
      return text;
  }
}

function toAmount(
  { field, times, min, max }: Measure,
  { fields }: AggregatedRecord,
): number | undefined {
  const value = fields[field];
  const factor = times === undefined ? 1 : fields[times];
  if (typeof value !== 'number' || typeof factor !== 'number') return undefined;
  return Math.min(max, Math.max(min, value * factor));
}
