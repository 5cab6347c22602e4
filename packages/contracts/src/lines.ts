// SPDX-License-Identifier: Apache-2.0
// Lines out of chunks of bytes, with bounded memory: a line that is too long is counted, told and skipped
// without being held. And the values of one line of CSV (RFC 4180, but a quoted line break is malformed:
// so one broken quote spoils one line and not the rest of the file).

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;
const QUOTE = '"';

/** One line, without its line break; `tooLong` instead of text when it was over the limit. */
export interface SplitLine {
  /** From 1. */
  readonly number: number;
  readonly bytes: Uint8Array | undefined;
}

export interface LineSplitter {
  /** The lines that end in this chunk. Their bytes are valid until the next call. */
  push(chunk: Uint8Array): readonly SplitLine[];
  /** The last line, when the file does not end with a line break. */
  end(): readonly SplitLine[];
}

/** Splits chunks into lines of at most `lineSizeBytesMax` bytes; `LF` and `CRLF` both end a line. */
export function createLineSplitter(options: {
  readonly lineSizeBytesMax: number;
  readonly firstLine?: number;
}): LineSplitter {
  const { lineSizeBytesMax } = options;
  let number = options.firstLine ?? 1;
  let held: Uint8Array[] = [];
  let heldSizeBytes = 0;
  let isTooLong = false;

  const hold = (part: Uint8Array): void => {
    if (isTooLong || part.length === 0) return;
    if (heldSizeBytes + part.length > lineSizeBytesMax) {
      isTooLong = true;
      held = [];
      heldSizeBytes = 0;
      return;
    }
    held.push(Uint8Array.from(part));
    heldSizeBytes += part.length;
  };

  const take = (tail: Uint8Array): SplitLine => {
    const isOver = isTooLong || heldSizeBytes + tail.length > lineSizeBytesMax;
    let bytes: Uint8Array | undefined;
    if (!isOver) {
      bytes = tail;
      if (heldSizeBytes > 0) {
        bytes = new Uint8Array(heldSizeBytes + tail.length);
        let offset = 0;
        for (const part of held) {
          bytes.set(part, offset);
          offset += part.length;
        }
        bytes.set(tail, offset);
      }
      if (bytes[bytes.length - 1] === CARRIAGE_RETURN) bytes = bytes.subarray(0, bytes.length - 1);
    }
    held = [];
    heldSizeBytes = 0;
    isTooLong = false;
    number += 1;
    return { number: number - 1, bytes };
  };

  return {
    push(chunk) {
      const lines: SplitLine[] = [];
      let from = 0;
      for (;;) {
        const at = chunk.indexOf(LINE_FEED, from);
        if (at < 0) break;
        lines.push(take(chunk.subarray(from, at)));
        from = at + 1;
      }
      hold(chunk.subarray(from));
      return lines;
    },
    end() {
      return heldSizeBytes > 0 || isTooLong ? [take(new Uint8Array())] : [];
    },
  };
}

/**
 * The values of one line of CSV; `undefined` when a quote stands in the middle of a plain value, is not
 * closed on the line, or is followed by anything but a delimiter.
 */
export function parseCsvLine(line: string, delimiter: string): string[] | undefined {
  if (!line.includes(QUOTE)) return line.split(delimiter);
  const values: string[] = [];
  let at = 0;
  for (;;) {
    if (line[at] === QUOTE) {
      let value = '';
      let from = at + 1;
      for (;;) {
        const close = line.indexOf(QUOTE, from);
        if (close < 0) return undefined;
        value += line.slice(from, close);
        if (line[close + 1] !== QUOTE) {
          at = close + 1;
          break;
        }
        value += QUOTE;
        from = close + 2;
      }
      values.push(value);
      if (at < line.length && line[at] !== delimiter) return undefined;
    } else {
      const next = line.indexOf(delimiter, at);
      const value = line.slice(at, next < 0 ? line.length : next);
      if (value.includes(QUOTE)) return undefined;
      values.push(value);
      at = next < 0 ? line.length : next;
    }
    if (at >= line.length) return values;
    at += 1;
    if (at === line.length) {
      values.push('');
      return values;
    }
  }
}
