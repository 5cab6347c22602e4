// SPDX-License-Identifier: Apache-2.0
// `bailiwick record`: read one, or search. What may be seen is decided by the cell.
import { type SearchQuery, type StoredRecord, unwrap, type Where } from '@bailiwick/sdk';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { argument, readMapping } from './input.ts';
import type { Input } from './run.ts';

/** Runs `bailiwick record get <residency> <collection> <recordId>`. */
export async function runRecordGet(context: Context, { args }: Input): Promise<void> {
  const cell = await context.cell(argument(args, 0));
  const record = unwrap(await cell.collection(argument(args, 1)).get(argument(args, 2)));
  context.output.result({ v: 1, record }, () => toRecordText(record));
}

/** Runs `bailiwick record search <residency> <collection>`. */
export async function runRecordSearch(context: Context, { args, options }: Input): Promise<void> {
  const pageSize = Number(options['pageSize']);
  if (!Number.isInteger(pageSize) || pageSize < 1) {
    throw new CliError('CLI_USAGE_WRONG', 'expected `--page-size` as a number from 1');
  }
  const file = String(options['where'] ?? '');
  const query: SearchQuery = {
    pageSize,
    ...(file === '' ? {} : { where: parseWhere(readMapping(file, 'the conditions')) }),
    ...(typeof options['pageToken'] === 'string' ? { pageToken: options['pageToken'] } : {}),
    ...(options['count'] === true ? { count: true } : {}),
  };
  const cell = await context.cell(argument(args, 0));
  const page = unwrap(await cell.collection(argument(args, 1)).search(query));
  context.output.result({ v: 1, ...page }, () =>
    [
      ...page.items.map(toRecordText),
      ...(page.count === undefined ? [] : [`${page.count.toLocaleString('en')} in all`]),
      ...(page.nextPageToken === undefined
        ? []
        : [`next page: --page-token ${page.nextPageToken}`]),
    ].join('\n'),
  );
}

/** Conditions; the cell checks fields and types. */
function parseWhere(value: Readonly<Record<string, unknown>>): Where {
  return value as Where;
}

function toRecordText({ recordId, version, label, fields, masked }: StoredRecord): string {
  return [
    `${recordId} v${version} (${label.cell}, origin ${label.origin}, ${label.regimes.join(' + ')})`,
    ...Object.entries(fields).map(([name, value]) => `  ${name}: ${String(value)}`),
    ...(masked === undefined || masked.length === 0 ? [] : [`  masked: ${masked.join(', ')}`]),
  ].join('\n');
}
