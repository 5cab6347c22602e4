// SPDX-License-Identifier: Apache-2.0
// Reads `witness.yaml`. Relative paths are relative to the file. No `.env` is read.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  ContractError,
  parseWitnessConfig,
  type WitnessConfig,
  WitnessConfigSchema,
} from '@bailiwick/contracts';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { WitnessError } from './errors.ts';

const FILE_SIZE_BYTES_MAX = 1_048_576;

function refuse(file: string, problem: string, cause?: unknown): never {
  throw new WitnessError('WITNESS_CONFIG_INVALID', `\`${file}\`: ${problem}`, { cause });
}

function readText(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    return refuse(file, 'cannot be read', cause);
  }
  if (text.length > FILE_SIZE_BYTES_MAX) refuse(file, 'is too large for a configuration');
  return text;
}

/** @throws {WitnessError} `WITNESS_CONFIG_INVALID` naming what is wrong and where. */
export function loadWitnessConfig(file: string): WitnessConfig {
  const document = parseDocument(readText(file), { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [at] = problem.linePos ?? [];
    refuse(file, `line ${at?.line ?? 1}: not valid YAML (${problem.code})`);
  }
  try {
    const tree: unknown = document.toJS({ maxAliasCount: 0 });
    const config = parseWitnessConfig(Value.Default(WitnessConfigSchema, tree));
    return resolvePaths(config, path.dirname(path.resolve(file)));
  } catch (cause) {
    if (cause instanceof ContractError) return refuse(file, cause.message, cause);
    throw cause;
  }
}

function resolvePaths(config: WitnessConfig, base: string): WitnessConfig {
  const at = (file: string): string => path.resolve(base, file);
  const { tls, telemetry } = config;
  return {
    ...config,
    keyFile: at(config.keyFile),
    state: at(config.state),
    telemetry: { ...telemetry, directory: at(telemetry.directory) },
    ...(tls === undefined
      ? {}
      : {
          tls: {
            certFile: at(tls.certFile),
            keyFile: at(tls.keyFile),
            ...(tls.clientCaFile === undefined ? {} : { clientCaFile: at(tls.clientCaFile) }),
          },
        }),
  };
}
