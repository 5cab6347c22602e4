// SPDX-License-Identifier: Apache-2.0
// Metrics through OpenTelemetry's API, kept in this process and read as Prometheus text in place. No SDK
// and no exporter that could send anything out of a cell. Attributes are bounded: names from a list,
// values that look like words, a limit of series per instrument (then OpenTelemetry's overflow series).
import type {
  Attributes,
  BatchObservableCallback,
  BatchObservableResult,
  Counter,
  Gauge,
  Histogram,
  MetricOptions,
  Observable,
  ObservableCallback,
  Meter as OpenTelemetryMeter,
  UpDownCounter,
} from '@opentelemetry/api';
import { type Series, toPrometheusText } from './prometheus.ts';

/** OpenTelemetry's `Meter`: `meter.createCounter('bailiwick.decisions').add(1, { outcome: 'deny' })`. */
export type Meter = OpenTelemetryMeter;

/** A meter that keeps its figures, and the text that tells them. */
export interface MeterInPlace {
  readonly meter: Meter;
  /** All figures in Prometheus' text format 0.0.4. */
  toText(): Promise<string>;
  /** Sums of all counters by instrument and attributes, for roll-ups: numbers and words only. */
  counters(): readonly CounterFigure[];
}

export interface CounterFigure {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Attribute names that exist. A name outside is dropped: no tenant, no subject, no path. */
export const ATTRIBUTE_NAMES: readonly string[] = [
  'action',
  'bailiwick.cell',
  'cause',
  'class',
  'code',
  'db.operation.name',
  'destination',
  'error.type',
  'http.request.method',
  'http.response.status_code',
  'http.route',
  'kind',
  'outcome',
  'pool',
  'priority',
  'reason',
  'result',
  'state',
  'step',
];
/** Most series of one instrument; what comes after is added to one series marked as overflow. */
export const SERIES_COUNT_MAX = 256;

const ATTRIBUTE_VALUE = /^[a-zA-Z0-9_.:/*-]{1,64}$/;
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-/;
const NAME = /^[a-z][a-z0-9_.]{0,99}$/;
const BOUNDARIES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface Instrument {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly options: MetricOptions;
  readonly boundaries: readonly number[];
  readonly series: Map<string, Series>;
  /** Series by the very object of attributes, for callers that use the same one again. */
  readonly known: WeakMap<Attributes, Series>;
  readonly callbacks: Set<ObservableCallback>;
}

/** Makes a meter whose figures stay in this process. */
export function createMeterInPlace(): MeterInPlace {
  const registry = new Registry();
  return {
    meter: registry,
    toText: async () => {
      await registry.observe();
      return toPrometheusText(registry.instruments());
    },
    counters: () =>
      [...registry.instruments()]
        .filter((instrument) => instrument.kind === 'counter')
        .flatMap((instrument) =>
          [...instrument.series.values()].map(({ attributes, sum }) => ({
            name: instrument.name,
            attributes,
            value: sum,
          })),
        ),
  };
}

function toSafeAttributes(attributes: Attributes | undefined): Record<string, string> {
  const safe: Record<string, string> = {};
  if (attributes === undefined) return safe;
  for (const name of Object.keys(attributes)) {
    const value = String(attributes[name]);
    // SECURITY: an id or a free text as an attribute would make a metric point to somebody (invariant 7).
    if (ATTRIBUTE_NAMES.includes(name) && ATTRIBUTE_VALUE.test(value) && !UUID.test(value)) {
      safe[name] = value;
    }
  }
  return safe;
}

function findSeries(instrument: Instrument, attributes: Attributes | undefined): Series {
  const isFixed = attributes !== undefined && Object.isFrozen(attributes);
  if (!isFixed) return findByContent(instrument, attributes);
  const known = instrument.known.get(attributes);
  if (known !== undefined) return known;
  const found = findByContent(instrument, attributes);
  instrument.known.set(attributes, found);
  return found;
}

function findByContent(instrument: Instrument, attributes: Attributes | undefined): Series {
  const safe = toSafeAttributes(attributes);
  let key = '';
  for (const name of Object.keys(safe).sort()) key += `${name}=${safe[name]};`;
  const found = instrument.series.get(key);
  if (found !== undefined) return found;
  const isFull = instrument.series.size >= SERIES_COUNT_MAX && key !== '';
  const overflow = 'otel.metric.overflow=true';
  if (isFull && instrument.series.has(overflow)) {
    return instrument.series.get(overflow) ?? createSeries({}, 0);
  }
  const series = createSeries(
    isFull ? { 'otel.metric.overflow': 'true' } : safe,
    instrument.boundaries.length + 1,
  );
  instrument.series.set(isFull ? overflow : key, series);
  return series;
}

function createSeries(attributes: Readonly<Record<string, string>>, bucketCount: number): Series {
  return { attributes, sum: 0, count: 0, buckets: new Array<number>(bucketCount).fill(0) };
}

class Registry implements OpenTelemetryMeter {
  readonly #instruments = new Map<string, Instrument>();
  readonly #batches = new Map<BatchObservableCallback, readonly Observable[]>();
  readonly #observables = new WeakMap<Observable, Instrument>();

  instruments(): readonly Instrument[] {
    return [...this.#instruments.values()];
  }

  createCounter(name: string, options?: MetricOptions): Counter {
    const instrument = this.#open(name, 'counter', options);
    return {
      add(value, attributes) {
        if (value >= 0) findSeries(instrument, attributes).sum += value;
      },
    };
  }

  createUpDownCounter(name: string, options?: MetricOptions): UpDownCounter {
    const instrument = this.#open(name, 'gauge', options);
    return {
      add(value, attributes) {
        findSeries(instrument, attributes).sum += value;
      },
    };
  }

  createGauge(name: string, options?: MetricOptions): Gauge {
    const instrument = this.#open(name, 'gauge', options);
    return {
      record(value, attributes) {
        findSeries(instrument, attributes).sum = value;
      },
    };
  }

  createHistogram(name: string, options?: MetricOptions): Histogram {
    const instrument = this.#open(name, 'histogram', options);
    return {
      record(value, attributes) {
        const series = findSeries(instrument, attributes);
        let index = 0;
        while (value > (instrument.boundaries[index] ?? Number.POSITIVE_INFINITY)) index += 1;
        series.buckets[index] = (series.buckets[index] ?? 0) + 1;
        series.sum += value;
        series.count += 1;
      },
    };
  }

  createObservableCounter(name: string, options?: MetricOptions): Observable {
    return this.#openObservable(name, 'counter', options);
  }

  createObservableUpDownCounter(name: string, options?: MetricOptions): Observable {
    return this.#openObservable(name, 'gauge', options);
  }

  createObservableGauge(name: string, options?: MetricOptions): Observable {
    return this.#openObservable(name, 'gauge', options);
  }

  addBatchObservableCallback(callback: BatchObservableCallback, observables: Observable[]): void {
    this.#batches.set(callback, observables);
  }

  removeBatchObservableCallback(callback: BatchObservableCallback): void {
    this.#batches.delete(callback);
  }

  /** Asks the observable instruments for their figures. */
  async observe(): Promise<void> {
    for (const instrument of this.#instruments.values()) {
      for (const callback of instrument.callbacks) {
        await callback({
          observe: (value, attributes) => {
            findSeries(instrument, attributes).sum = value;
          },
        });
      }
    }
    const result: BatchObservableResult = {
      observe: (observable, value, attributes) => {
        const instrument = this.#observables.get(observable);
        if (instrument !== undefined) findSeries(instrument, attributes).sum = value;
      },
    };
    for (const callback of this.#batches.keys()) await callback(result);
  }

  #openObservable(name: string, kind: Instrument['kind'], options?: MetricOptions): Observable {
    const instrument = this.#open(name, kind, options);
    const observable: Observable = {
      addCallback: (callback) => void instrument.callbacks.add(callback),
      removeCallback: (callback) => void instrument.callbacks.delete(callback),
    };
    this.#observables.set(observable, instrument);
    return observable;
  }

  #open(name: string, kind: Instrument['kind'], options: MetricOptions = {}): Instrument {
    const found = this.#instruments.get(name);
    if (found?.kind === kind) return found;
    // A wrong name is a bug, but figures must never stop the work they count: it is kept out of sight.
    const instrument: Instrument = {
      name,
      kind,
      options,
      boundaries:
        kind === 'histogram' ? (options.advice?.explicitBucketBoundaries ?? BOUNDARIES) : [],
      series: new Map(),
      known: new WeakMap(),
      callbacks: new Set(),
    };
    if (NAME.test(name) && found === undefined) this.#instruments.set(name, instrument);
    return instrument;
  }
}
