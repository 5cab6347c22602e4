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
