// SPDX-License-Identifier: Apache-2.0
// Entry point: `main.ts --config <cell.yaml>`. Walks everything that the cell keeps and prints one JSON
// document; ends with 4 when it found a problem.
import { parseArgs } from 'node:util';
import { CodedError } from '@bailiwick/kernel';
import { loadCellConfig } from '../config.ts';
import { CellError } from '../errors.ts';
import { checkCell } from './check-cell.ts';

const EXIT_FAILED = 1;
const EXIT_NOT_VERIFIED = 4;

async function run(): Promise<void> {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  if (values.config === undefined) {
    throw new CellError('CELL_CONFIG_INVALID', 'expected `--config <cell.yaml>`');
  }
  const { config } = loadCellConfig({ file: values.config, environment: process.env });
  const report = await checkCell(config);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  if (report.problemsCount > 0) process.exitCode = EXIT_NOT_VERIFIED;
}

run().catch((error: unknown) => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const text = error instanceof CodedError ? `${error.code}: ${error.message}` : `failed (${code})`;
  process.stderr.write(`bailiwick cell: error: ${text}\n`);
  process.exitCode = EXIT_FAILED;
});
