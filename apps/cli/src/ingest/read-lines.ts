// SPDX-License-Identifier: Apache-2.0
// A file as lines of values, streamed: a broken line is told with its number and the rest goes on. What
// stands in a line is personal and is never quoted.
import { createReadStream, statSync } from 'node:fs';
import { TextDecoder } from 'node:util';
import {
  createLineSplitter,
  IMPORT_LINE_SIZE_BYTES_MAX,
  type LineProblem,
  parseCsvLine,
  type SplitLine,
} from '@bailiwick/contracts';
import { CliError } from '../errors.ts';
import type { FileEncoding } from './mapping.ts';

/** A line's values, or why there are none. */
export interface FileLine {
  /** From 1; the header is line 1. */
  readonly number: number;
  readonly values?: readonly string[];
  readonly problem?: LineProblem;
  /** Bytes of the file read so far, for a progress bar. */
  readonly readBytes: number;
}

const READ_SIZE_BYTES = 256 * 1024;

/** Size of a file in bytes. @throws {CliError} `CLI_FILE_UNREADABLE` */
export function sizeOf(file: string): number {
  try {
    const stats = statSync(file);
    if (stats.isFile()) return stats.size;
  } catch (cause) {
    throw new CliError('CLI_FILE_UNREADABLE', `cannot read \`${file}\``, { cause });
  }
  throw new CliError('CLI_FILE_UNREADABLE', `\`${file}\` is not a file`);
}

/** The lines of a CSV file, empty ones left out. */
export async function* readLines(
  file: string,
  options: { readonly encoding: FileEncoding; readonly delimiter: string },
): AsyncGenerator<FileLine> {
  const splitter = createLineSplitter({ lineSizeBytesMax: IMPORT_LINE_SIZE_BYTES_MAX });
  const decoder = new TextDecoder(options.encoding, { fatal: true, ignoreBOM: false });
  const toLine = (line: SplitLine): FileLine | undefined =>
    parseLine(line, { decoder, delimiter: options.delimiter, readBytes });
  let readBytes = 0;
  const stream = createReadStream(file, { highWaterMark: READ_SIZE_BYTES });
  try {
    for await (const chunk of stream) {
      const bytes: Buffer = chunk;
      readBytes += bytes.length;
      for (const line of splitter.push(bytes)) {
        const parsed = toLine(line);
        if (parsed !== undefined) yield parsed;
      }
    }
  } catch (cause) {
    if (cause instanceof Error && 'syscall' in cause) {
      throw new CliError('CLI_FILE_UNREADABLE', `cannot read \`${file}\``, { cause });
    }
    throw cause;
  }
  for (const line of splitter.end()) {
    const parsed = toLine(line);
    if (parsed !== undefined) yield parsed;
  }
}

function parseLine(
  { number, bytes }: SplitLine,
  options: {
    readonly decoder: TextDecoder;
    readonly delimiter: string;
    readonly readBytes: number;
  },
): FileLine | undefined {
  const { decoder, delimiter, readBytes } = options;
  const refuse = (code: LineProblem['code'], detail: string): FileLine => ({
    number,
    readBytes,
    problem: { code, detail },
  });
  if (bytes === undefined) {
    return refuse('IMPORT_LINE_TOO_LONG', `longer than ${IMPORT_LINE_SIZE_BYTES_MAX} bytes`);
  }
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return refuse('IMPORT_LINE_MALFORMED', `not ${decoder.encoding}: state the file's encoding`);
  }
  if (text === '') return undefined;
  const values = parseCsvLine(text, delimiter);
  if (values === undefined) {
    return refuse('IMPORT_LINE_MALFORMED', 'a quote is not closed or stands where none may');
  }
  return { number, readBytes, values };
}
