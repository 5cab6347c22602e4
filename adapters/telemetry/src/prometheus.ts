// SPDX-License-Identifier: Apache-2.0
// Figures as Prometheus' text exposition format 0.0.4. Names follow OpenTelemetry's mapping: dots become
// underscores, counters end in `_total`, seconds in `_seconds`.

/** One series of an instrument: counters and gauges use `sum`, histograms all of it. */
export interface Series {
  readonly attributes: Readonly<Record<string, string>>;
  sum: number;
  count: number;
  readonly buckets: number[];
}

interface Readable {
  readonly name: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly options: { readonly description?: string; readonly unit?: string };
  readonly boundaries: readonly number[];
  readonly series: ReadonlyMap<string, Series>;
}

/** Writes all series of these instruments. */
export function toPrometheusText(instruments: Iterable<Readable>): string {
  const lines: string[] = [];
  for (const instrument of instruments) {
    const name = toName(instrument);
    const help = (instrument.options.description ?? '').replaceAll(/[\\\n]/g, ' ');
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${instrument.kind}`);
    for (const series of instrument.series.values()) {
      if (instrument.kind === 'histogram')
        lines.push(...toHistogramLines(name, instrument, series));
      else lines.push(`${name}${toLabels(series.attributes)} ${series.sum}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function toHistogramLines(name: string, instrument: Readable, series: Series): readonly string[] {
  let seen = 0;
  const lines = series.buckets.map((count, index) => {
    seen += count;
    const limit = instrument.boundaries[index];
    const le = limit === undefined ? '+Inf' : String(limit);
    return `${name}_bucket${toLabels({ ...series.attributes, le })} ${seen}`;
  });
  lines.push(`${name}_sum${toLabels(series.attributes)} ${series.sum}`);
  lines.push(`${name}_count${toLabels(series.attributes)} ${series.count}`);
  return lines;
}

function toName({ name, kind, options }: Readable): string {
  const unit = options.unit === 's' ? '_seconds' : options.unit === 'By' ? '_bytes' : '';
  return `${name.replaceAll('.', '_')}${unit}${kind === 'counter' ? '_total' : ''}`;
}

function toLabels(attributes: Readonly<Record<string, string>>): string {
  const names = Object.keys(attributes);
  if (names.length === 0) return '';
  const labels = names.map((name) => {
    const value = (attributes[name] ?? '').replaceAll(/["\\\n]/g, '_');
    return `${name.replaceAll('.', '_')}="${value}"`;
  });
  return `{${labels.join(',')}}`;
}
