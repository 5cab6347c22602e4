// SPDX-License-Identifier: Apache-2.0
export { LOG_FIELD_NAMES, type LogFields } from './fields.ts';
export { LOG_LEVELS, type Log, type LogLevel, type LogOptions, openLog } from './log.ts';
export {
  ATTRIBUTE_NAMES,
  type CounterFigure,
  createMeterInPlace,
  type Meter,
  type MeterInPlace,
  SERIES_COUNT_MAX,
} from './meter.ts';
export {
  parseTraceparent,
  SPAN_ATTRIBUTE_NAMES,
  type SpanRecord,
  type TraceContext,
  toOtlpJson,
  toTraceparent,
} from './spans.ts';
export {
  createTracer,
  type EndedSpan,
  SPANS_COUNT_MAX,
  type Tracer,
  type TracerOptions,
} from './tracer.ts';
