// SPDX-License-Identifier: Apache-2.0
// `cell.yaml`, as the cell and its key service read it.
import { type CellConfig, CellConfigSchema, parseCellConfig } from '@bailiwick/contracts';
import * as process from '@bailiwick/process';
import { CellError } from './errors.ts';

const refuse = (problem: string, cause?: unknown): CellError =>
  new CellError('CELL_CONFIG_INVALID', problem, { cause });

/** @throws {CellError} `CELL_CONFIG_INVALID` with the line where there is one. */
export function loadCellConfig(sources: process.ConfigSources): process.LoadedConfig<CellConfig> {
  const kind = { schema: CellConfigSchema, parse: parseCellConfig, refuse };
  return process.loadConfig(kind, sources);
}

/** Reads a secret or a certificate from its file. @throws {CellError} `CELL_CONFIG_INVALID` */
export function readSecretFile(file: string): string {
  return process.readSecretFile(file, refuse);
}
