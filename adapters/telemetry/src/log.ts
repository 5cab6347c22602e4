// SPDX-License-Identifier: Apache-2.0
// Logs stay where the process is: a file in its telemetry directory. A line has a constant sentence and
// fields of the allow-list, nothing else. Reading and shipping logs is left to whoever operates the cell.
import path from 'node:path';
import { type DestinationStream, type Logger, pino } from 'pino';
import { type LogFields, toSafeFields } from './fields.ts';

export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
/** `error` wakes a person, `warn` can wait till morning, `info` tells the story, `debug` is off. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes log lines. `message` is a constant sentence: never put a value into it. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A log whose lines all carry these fields. */
  with(fields: LogFields): Log;
  /** Writes out what is buffered; lines after this are written at once. */
  flush(): void;
}

export interface LogOptions {
  /** Which process: the file is `<directory>/<component>.log`. */
  readonly component: string;
  /** Must exist. Absent: lines go to `stream`, or nowhere. */
  readonly directory?: string;
  readonly stream?: DestinationStream;
  readonly level?: LogLevel;
}

/** Opens a log. Without directory and stream it writes nothing, which is what a library test wants. */
export function openLog(options: LogOptions): Log {
  const file =
    options.directory === undefined
      ? undefined
      : pino.destination({
          dest: path.join(options.directory, `${options.component}.log`),
          sync: false,
          mkdir: false,
          append: true,
        });
  const stream = options.stream ?? file ?? { write: () => undefined };
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: { component: options.component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  return toLog(logger, () => file?.flushSync());
}

function toLog(logger: Logger, flush: () => void): Log {
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void =>
      logger[level](toSafeFields({ ...fields }), message);
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    with: (fields) => toLog(logger.child(toSafeFields({ ...fields })), flush),
    flush: () => {
      try {
        flush();
      } catch {
        // The destination may not be open yet, or be closed already; there is nowhere left to tell it.
      }
    },
  };
}
