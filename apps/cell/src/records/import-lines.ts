// SPDX-License-Identifier: Apache-2.0
// Lines of an import's body to drafts, with bounded memory. What is wrong with a line is told with its
// number and never with its content; the rest goes on.
import { isUtf8 } from 'node:buffer';
import {
  createLineMapper,
  createLineSplitter,
  findMissingColumns,
  IMPORT_LINE_SIZE_BYTES_MAX,
  type ImportMapping,
  type LineMapper,
  parseCsvLine,
  type RecordDraft,
  type SplitLine,
} from '@bailiwick/contracts';
import type { CompiledCollection } from '../collections/compiled-collection.ts';
import { RecordError } from './errors.ts';

/** A line that became a draft or did not. */
export type ImportedLine =
  | {
      readonly line: number;
      readonly draft: RecordDraft;
      readonly sizeBytes: number;
      readonly problem?: undefined;
    }
  | {
      readonly line: number;
      readonly draft?: undefined;
      readonly problem: {
        readonly code: string;
        readonly detail: string;
        readonly pointer?: string;
      };
    };

/** Turns chunks into lines. */
export interface LineReader {
  push(chunk: Uint8Array): readonly ImportedLine[];
  end(): readonly ImportedLine[];
}

const MEMBERS = new Set(['id', 'subject', 'origin', 'fields', 'line']);
const BYTE_ORDER_MARK = '\ufeff';

type Reader = (text: string, number: number, sizeBytes: number) => ImportedLine | undefined;

const malformed = (line: number, detail: string): ImportedLine => ({
  line,
  problem: { code: 'IMPORT_LINE_MALFORMED', detail },
});

/** A reader of NDJSON: a record a line; a blank line is no line. */
export function createJsonReader(options: { readonly firstLine: number }): LineReader {
  return createReader(options.firstLine, (text, number, sizeBytes) => {
    if (text.trim() === '') return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      // SECURITY: the parser's message quotes the line.
      return malformed(number, 'expected a record in JSON');
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      return malformed(number, 'expected a record in JSON');
    }
    return parseJsonLine(value, number, sizeBytes);
  });
}

/** Reads an object that is a record by its members; their values are checked with the schema. */
function parseJsonLine(value: object, number: number, sizeBytes: number): ImportedLine {
  for (const name of Object.keys(value)) {
    if (!MEMBERS.has(name)) return malformed(number, 'the record has an unknown member');
  }
  const { line, ...draft } = value as RecordDraft & { readonly line?: unknown };
  if (line === undefined) return { line: number, draft, sizeBytes };
  if (typeof line !== 'number' || !Number.isSafeInteger(line) || line < 1) {
    return malformed(number, 'expected `line` to be the number of a line');
  }
  return { line, draft, sizeBytes };
}

/**
 * A reader of CSV: the first line names the columns.
 *
 * @throws {RecordError} `IMPORT_HEADER_INVALID` from `push`
 */
export function createCsvReader(options: {
  readonly firstLine: number;
  readonly mapping: ImportMapping;
  readonly collection: CompiledCollection;
}): LineReader {
  const { firstLine, mapping, collection } = options;
  const delimiter = mapping.delimiter ?? ',';
  let map: LineMapper | undefined;
  return createReader(firstLine - 1, (text, number, sizeBytes) => {
    const values = parseCsvLine(text, delimiter);
    if (!map) {
      map = createLineMapper({
        mapping,
        schema: collection.schema,
        header: checkHeader(mapping, values),
      });
      return undefined;
    }
    if (text === '') return undefined;
    if (!values) return malformed(number, 'a quote is not closed or stands where none may');
    const { draft, problem } = map(values, number);
    return draft ? { line: number, draft, sizeBytes } : { line: number, problem };
  });
}

function checkHeader(
  mapping: ImportMapping,
  header: readonly string[] | undefined,
): readonly string[] {
  const missing = header && findMissingColumns(mapping, header);
  if (!header || !missing || missing.length > 0) {
    const wanted = missing?.map((column) => `\`${column}\``).join(', ') ?? 'well-formed CSV';
    throw new RecordError('IMPORT_HEADER_INVALID', `the first line lacks ${wanted}`);
  }
  return header;
}

function createReader(firstLine: number, read: Reader): LineReader {
  const splitter = createLineSplitter({ firstLine, lineSizeBytesMax: IMPORT_LINE_SIZE_BYTES_MAX });
  let isFirst = true;
  const readLine = ({ number, bytes }: SplitLine): readonly ImportedLine[] => {
    if (!bytes) {
      const detail = `the line is longer than ${IMPORT_LINE_SIZE_BYTES_MAX} bytes`;
      return [{ line: number, problem: { code: 'IMPORT_LINE_TOO_LONG', detail } }];
    }
    if (!isUtf8(bytes)) return [malformed(number, 'the line is not UTF-8')];
    let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
    if (isFirst && text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
    isFirst = false;
    const line = read(text, number, bytes.length);
    return line ? [line] : [];
  };
  return {
    push: (chunk) => splitter.push(chunk).flatMap(readLine),
    end: () => splitter.end().flatMap(readLine),
  };
}
