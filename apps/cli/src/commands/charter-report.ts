// SPDX-License-Identifier: Apache-2.0
// `bailiwick charter report`: registers that a law asks for, as Markdown, CSV or JSON.
import { type CharterReport, REPORT_KINDS, toCharterReport } from '@bailiwick/charter';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { load } from './charter.ts';
import { toNowMs } from './charter-prove.ts';
import { argument } from './input.ts';
import type { Input } from './run.ts';

const FORMATS = ['md', 'csv', 'json'] as const;

function pick<Name extends string>(names: readonly Name[], text: unknown, what: string): Name {
  const found = names.find((name) => name === text);
  if (found !== undefined) return found;
  throw new CliError('CLI_USAGE_WRONG', `no ${what} \`${String(text)}\``, {
    hint: `one of ${names.join(', ')}`,
  });
}

/** Runs `bailiwick charter report <file> --kind <kind>`. */
export async function runCharterReport(
  { output }: Context,
  { args, options }: Input,
): Promise<void> {
  const kind = pick(REPORT_KINDS, options['kind'], 'kind of report');
  const format = pick(FORMATS, options['format'], 'format');
  const nowMs = toNowMs(options['date']);
  const charter = load(argument(args, 0), options);
  const report = toCharterReport(charter, kind, { nowMs });
  const { columns, rows, ...rest } = report;
  const items = rows.map((row) =>
    Object.fromEntries(columns.map((column, index) => [column, row[index] ?? []])),
  );
  const value = {
    v: 1,
    ...rest,
    charter: { name: charter.name, hash: charter.hash, atlas: charter.atlasDate },
    at: new Date(nowMs).toISOString(),
    items,
  };
  output.result(value, () => {
    if (format === 'json') return JSON.stringify(value, null, 2);
    return format === 'csv' ? toCsv(report) : toMarkdown(report, value.charter, value.at);
  });
}

/** RFC 4180; a text that a spreadsheet would run as a formula is made a text. */
function toCsv({ columns, rows }: CharterReport): string {
  const toField = (text: string): string => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [columns, ...rows.map((row) => row.map((cell) => cell.join('; ')))]
    .map((row) => `${row.map(toField).join(',')}\r\n`)
    .join('');
}

/** One section a row: a register is read person by person and not across fourteen columns. */
function toMarkdown(
  { title, source, columns, rows, notes }: CharterReport,
  charter: { readonly name: string; readonly hash: string; readonly atlas: string },
  at: string,
): string {
  const toCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const sections = rows.flatMap((row, index) => [
    '',
    `## ${index + 1}. ${toCell(row[0]?.join(', ') ?? '')}`,
    '',
    '| | |',
    '|---|---|',
    ...columns
      .slice(1)
      .map((column, at) => `| ${column} | ${toCell(row[at + 1]?.join(', ') || '—')} |`),
  ]);
  return [
    `# ${title}`,
    '',
    `${source}. Written from the charter \`${charter.name}\` (${charter.hash.slice(0, 12)}, atlas of ${charter.atlas}) as the law stands on ${at.slice(0, 10)}. It lists what the charter allows, and is no legal advice.`,
    '',
    ...notes.map((note) => `- ${note}`),
    ...sections,
    '',
  ].join('\n');
}
