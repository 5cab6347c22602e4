// SPDX-License-Identifier: Apache-2.0
// Reads `control.yaml`. Relative paths are relative to the file. No `.env` is read.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  ContractError,
  type ControlConfig,
  ControlConfigSchema,
  parseControlConfig,
} from '@bailiwick/contracts';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { ControlError } from './errors.ts';

const FILE_SIZE_BYTES_MAX = 262_144;

function refuse(file: string, problem: string, cause?: unknown): never {
  throw new ControlError('CONTROL_CONFIG_INVALID', `\`${file}\`: ${problem}`, { cause });
}

/** Reads a small file. @throws {ControlError} `CONTROL_CONFIG_INVALID` */
export function readSmallFile(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    return refuse(file, 'cannot be read', cause);
  }
  if (text.length > FILE_SIZE_BYTES_MAX) refuse(file, 'is too large');
  return text;
}

/** @throws {ControlError} `CONTROL_CONFIG_INVALID` naming what is wrong and where. */
export function loadControlConfig(file: string): ControlConfig {
  const document = parseDocument(readSmallFile(file), { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [at] = problem.linePos ?? [];
    refuse(file, `line ${at?.line ?? 1}: not valid YAML (${problem.code})`);
  }
  try {
    const tree: unknown = document.toJS({ maxAliasCount: 0 });
    const config = parseControlConfig(Value.Default(ControlConfigSchema, tree));
    return resolvePaths(config, path.dirname(path.resolve(file)));
  } catch (cause) {
    if (cause instanceof ContractError) return refuse(file, cause.message, cause);
    throw cause;
  }
}

function resolvePaths(config: ControlConfig, base: string): ControlConfig {
  const at = (file: string): string => path.resolve(base, file);
  const { identity, database, signing, telemetry } = config;
  return {
    ...config,
    identity: {
      certFile: at(identity.certFile),
      keyFile: at(identity.keyFile),
      bundleFile: at(identity.bundleFile),
    },
    database: { ...database, urlFile: at(database.urlFile) },
    signing: { keyFile: at(signing.keyFile) },
    telemetry: { ...telemetry, directory: at(telemetry.directory) },
  };
}
