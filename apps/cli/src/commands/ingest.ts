// SPDX-License-Identifier: Apache-2.0
// `bailiwick ingest`: each line of a file to the cell that the charter names for its country. Running it
// again changes nothing; killed in the middle, running it again ends with the same records.
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createLineMapper, type LineMapper } from '@bailiwick/contracts';
import { type Cell, type CellOptions, type CharterSummary, unwrap } from '@bailiwick/sdk';
import type { ClientConfig } from '../config.ts';
import { openClient } from '../connect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors.ts';
import { assertColumns, findShippedMapping, loadMapping, type Mapping } from '../ingest/mapping.ts';
import { type FileLine, readLines, sizeOf } from '../ingest/read-lines.ts';
import { createRouter, type Router } from '../ingest/route.ts';
import { createSender, type Sender } from '../ingest/send.ts';
import { createTally, groupRefused, type Tally } from '../ingest/tally.ts';
import { type Output, toTable } from '../output.ts';
import type { Input } from './run.ts';

interface Plan {
  readonly file: string;
  readonly mapping: Mapping;
  readonly sizeBytes: number;
  readonly deadlineMs: number;
  readonly isDryRun: boolean;
}

/** Runs `bailiwick ingest <file>`. */
export async function runIngest(context: Context, input: Input): Promise<void> {
  const plan = await createPlan(context, input);
  const config = await context.config();
  const { tenant } = config;
  const client = openClient(config, { deadlineMs: plan.deadlineMs });
  context.closers.push(() => client.close());
  const open = (residency: string): Promise<Cell> => client.in(residency, toOptions(config));
  const cells = createCells(open, plan);
  const [first] = tenant.value.residencies;
  if (first === undefined) throw new CliError('CLI_CONFIG_INVALID', 'the tenant has no residency');
  const charter = unwrap(await (await open(first)).charter());
  const tally = createTally();
  const startedAt = performance.now();
  await stream(context.output, { plan, tally, charter, cells });
  const seconds = (performance.now() - startedAt) / 1000;
  if (typeof input.options['refused'] === 'string') {
    const lines = tally.refused.map((line) => JSON.stringify(line));
    writeFileSync(input.options['refused'], lines.length === 0 ? '' : `${lines.join('\n')}\n`);
  }
  report(context.output, { plan, tally, seconds });
}

async function createPlan({ output }: Context, { args, options }: Input): Promise<Plan> {
  const file = path.resolve(args[0] ?? '');
  const sizeBytes = sizeOf(file);
  const deadlineS = Number(options['wait']);
  if (!(deadlineS > 0)) throw new CliError('CLI_USAGE_WRONG', 'expected `--wait` in seconds');
  let mapping: Mapping;
  if (typeof options['mapping'] === 'string') {
    mapping = loadMapping(path.resolve(options['mapping']));
  } else {
    const found = findShippedMapping(await readHeader(file));
    if (found === undefined) {
      throw new CliError('CLI_USAGE_WRONG', 'no shipped mapping fits the columns of the file', {
        hint: 'say how columns become records with `--mapping <file>`',
      });
    }
    output.note(`mapping: ${path.relative('.', found.file)}`);
    mapping = found;
  }
  return {
    file,
    mapping,
    sizeBytes,
    deadlineMs: deadlineS * 1000,
    isDryRun: options['dryRun'] === true,
  };
}

async function readHeader(file: string): Promise<readonly string[]> {
  for await (const line of readLines(file, { encoding: 'windows-1252', delimiter: ',' })) {
    const [first = '', ...rest] = line.values ?? [];
    return [first.replace(/^ï»¿/, ''), ...rest];
  }
  return [];
}

function toOptions({ tenant, purpose }: ClientConfig): CellOptions {
  const id = tenant.value.id;
  return purpose.value === undefined ? { tenant: id } : { tenant: id, purpose: purpose.value };
}

/** Cells by residency, each with the collection made when it is not there yet. */
function createCells(
  signIn: (residency: string) => Promise<Cell>,
  { mapping }: Plan,
): (residency: string) => Promise<Cell> {
  const open = new Map<string, Promise<Cell>>();
  const prepare = async (residency: string): Promise<Cell> => {
    const cell = await signIn(residency);
    const found = await cell.collections.get(mapping.collection);
    if (!found.ok && found.problem.status !== 404) unwrap(found);
    if (!found.ok) unwrap(await cell.collections.put(mapping.collection, mapping.schema));
    return cell;
  };
  return (residency) => {
    const cell = open.get(residency) ?? prepare(residency);
    open.set(residency, cell);
    return cell;
  };
}

interface Work {
  readonly plan: Plan;
  readonly tally: Tally;
  readonly charter: CharterSummary;
  readonly cells: (residency: string) => Promise<Cell>;
}

async function stream(output: Output, { plan, tally, charter, cells }: Work): Promise<void> {
  const { mapping } = plan;
  const progress = output.progress('ingest', plan.sizeBytes);
  const route = createRouter(charter);
  const sender = plan.isDryRun
    ? undefined
    : createSender(
        {
          cellOf: cells,
          onOutcome: (outcome) => tally.addOutcome(outcome, `${outcome.residency}/main`),
        },
        { collection: mapping.collection, deadlineMs: plan.deadlineMs },
      );
  let map: LineMapper | undefined;
  try {
    const lines = readLines(plan.file, {
      encoding: mapping.encoding,
      delimiter: mapping.import.delimiter ?? ',',
    });
    for await (const line of lines) {
      if (map === undefined) {
        map = createMapper(mapping, line);
        continue;
      }
      await take(line, { map, route, tally, sender });
      progress.update(line.readBytes, `${tally.lineCount.toLocaleString('en')} lines`);
    }
    await sender?.finish();
  } catch (error) {
    progress.end();
    if (tally.cells.size > 0) {
      output.note('stopped in the middle: the same command goes on where this ended');
    }
    throw error;
  }
  progress.end();
}

function createMapper(mapping: Mapping, { values }: FileLine): LineMapper {
  if (values === undefined) {
    throw new CliError('CLI_INPUT_REFUSED', 'the first line of the file is not a header');
  }
  assertColumns(mapping, values);
  return createLineMapper({ mapping: mapping.import, schema: mapping.schema, header: values });
}

async function take(
  { number, values, problem }: FileLine,
  to: {
    readonly map: LineMapper;
    readonly route: Router;
    readonly tally: Tally;
    readonly sender: Sender | undefined;
  },
): Promise<void> {
  const { map, route, tally, sender } = to;
  tally.lineCount += 1;
  if (values === undefined) {
    if (problem !== undefined) tally.refuse({ line: number, ...problem });
    return;
  }
  const mapped = map(values, number);
  if (mapped.problem !== undefined) {
    tally.refuse({ line: number, ...mapped.problem });
    return;
  }
  const { draft } = mapped;
  const found = route(draft.origin);
  if ('refusal' in found) {
    tally.addLine({ country: found.country, cell: undefined });
    tally.refuse({ line: number, ...found.refusal, pointer: '/origin' }, found.country);
    return;
  }
  const { country, residency, cell } = found;
  tally.addLine({ country, cell });
  if (draft.subject === undefined) tally.withoutSubjectCount += 1;
  await sender?.send({ residency, line: number, country, draft });
}

function report(
  output: Output,
  {
    plan,
    tally,
    seconds,
  }: { readonly plan: Plan; readonly tally: Tally; readonly seconds: number },
): void {
  const cells = [...tally.cells.values()].sort((one, other) => one.cell.localeCompare(other.cell));
  const countries = [...tally.countries.values()].sort((one, other) => other.lines - one.lines);
  const refused = groupRefused(tally.refused);
  const value = {
    v: 1,
    collection: plan.mapping.collection,
    isDryRun: plan.isDryRun,
    lineCount: tally.lineCount,
    refusedCount: tally.refusedCount,
    withoutSubjectCount: tally.withoutSubjectCount,
    seconds: Math.round(seconds * 100) / 100,
    cells,
    countries: countries.map(({ cell, ...row }) => ({ ...row, cell: cell ?? null })),
    refused,
  };
  output.result(value, () =>
    [
      toTable(
        ['country', 'cell', 'lines', 'refused'],
        countries.map((row) => [row.country, row.cell ?? '-', row.lines, row.refused]),
      ),
      '',
      toTable(
        ['cell', 'accepted', 'unchanged', 'refused'],
        cells.map((row) => [row.cell, row.accepted, row.unchanged, row.refused]),
      ),
      '',
      ...refused.map(
        ({ code, detail, count, lines }) =>
          `refused ${count.toLocaleString('en')}: ${code}: ${detail} (line ${lines.join(', ')}${count > lines.length ? ', …' : ''})`,
      ),
      `${tally.lineCount.toLocaleString('en')} lines in ${seconds.toFixed(1)} s` +
        (tally.withoutSubjectCount === 0
          ? ''
          : `; ${tally.withoutSubjectCount.toLocaleString('en')} of them name no person and cannot be erased by person`),
    ].join('\n'),
  );
}
