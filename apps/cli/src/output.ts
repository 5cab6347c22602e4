// SPDX-License-Identifier: Apache-2.0
// What a command says: data on stdout, everything else on stderr; colour and progress only on a terminal.
import { styleText } from 'node:util';

export interface Output {
  readonly isJson: boolean;
  /** Writes the command's one result: JSON, or what `toText` makes of it. */
  result(value: unknown, toText: () => string): void;
  /** One object of a stream. */
  item(value: unknown, toText: () => string): void;
  /** A line for the person who waits: stderr. */
  note(line: string): void;
  progress(title: string, total?: number): Progress;
  readonly paint: Paint;
}

export interface Progress {
  update(done: number, suffix?: string): void;
  end(): void;
}

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

const PROGRESS_INTERVAL_MS = 80;
const BAR_WIDTH = 28;

function isColourful(stream: NodeJS.WriteStream): boolean {
  const { NO_COLOR, TERM } = process.env;
  return stream.isTTY === true && (NO_COLOR ?? '') === '' && TERM !== 'dumb';
}

/** Makes the output of one run of the command. */
export function createOutput({ isJson }: { readonly isJson: boolean }): Output {
  const paint: Paint = (style, text) =>
    isColourful(process.stdout) ? styleText(style, text) : text;
  const write = (value: unknown, toText: () => string, indent: number): void => {
    const text = isJson ? JSON.stringify(value, null, indent) : toText();
    process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  };
  return {
    isJson,
    paint,
    result: (value, toText) => write(value, toText, 2),
    item: (value, toText) => write(value, toText, 0),
    note: (line) => void process.stderr.write(`${line}\n`),
    progress: (title, total) => createProgress(title, total),
  };
}

function createProgress(title: string, total: number | undefined): Progress {
  if (process.stderr.isTTY !== true || process.env['TERM'] === 'dumb') {
    return { update: () => undefined, end: () => undefined };
  }
  let shownAtMs = 0;
  return {
    update(done, suffix = '') {
      const nowMs = performance.now();
      if (nowMs - shownAtMs < PROGRESS_INTERVAL_MS && done !== total) return;
      shownAtMs = nowMs;
      process.stderr.write(`\r\x1b[2K${title} ${toBar(done, total)} ${suffix}`);
    },
    end() {
      process.stderr.write('\r\x1b[2K');
    },
  };
}

function toBar(done: number, total: number | undefined): string {
  if (total === undefined || total === 0) return done.toLocaleString('en');
  const share = Math.min(1, done / total);
  const full = Math.round(share * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${Math.floor(share * 100)} %`;
}

/** Rows as aligned columns; numbers to the right. */
export function toTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const texts = rows.map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en') : cell)),
  );
  const widths = head.map((name, column) =>
    Math.max(name.length, ...texts.map((row) => (row[column] ?? '').length)),
  );
  const toLine = (cells: readonly string[], isHead: boolean): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        const isNumber = !isHead && typeof rows[0]?.[column] === 'number';
        const isRight = isNumber || (isHead && typeof rows[0]?.[column] === 'number');
        return isRight ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [toLine(head, true), ...texts.map((row) => toLine(row, false))].join('\n');
}
