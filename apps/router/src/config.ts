// SPDX-License-Identifier: Apache-2.0
// Reads `router.yaml`. Relative paths are relative to the file. No `.env` is read.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  ContractError,
  parseRouterConfig,
  type RouterConfig,
  RouterConfigSchema,
} from '@bailiwick/contracts';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { RouterError } from './errors.ts';

const FILE_SIZE_BYTES_MAX = 262_144;

function refuse(file: string, problem: string, cause?: unknown): never {
  throw new RouterError('ROUTER_CONFIG_INVALID', `\`${file}\`: ${problem}`, { cause });
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

/** @throws {RouterError} `ROUTER_CONFIG_INVALID` naming what is wrong and where. */
export function loadRouterConfig(file: string): RouterConfig {
  const document = parseDocument(readText(file), { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    const [at] = problem.linePos ?? [];
    refuse(file, `line ${at?.line ?? 1}: not valid YAML (${problem.code})`);
  }
  try {
    const tree: unknown = document.toJS({ maxAliasCount: 0 });
    const config = parseRouterConfig(Value.Default(RouterConfigSchema, tree));
    return resolvePaths(config, path.dirname(path.resolve(file)));
  } catch (cause) {
    if (cause instanceof ContractError) return refuse(file, cause.message, cause);
    throw cause;
  }
}

function resolvePaths(config: RouterConfig, base: string): RouterConfig {
  const at = (file: string): string => path.resolve(base, file);
  const { identity, certificate, telemetry } = config;
  return {
    ...config,
    identity: {
      certFile: at(identity.certFile),
      keyFile: at(identity.keyFile),
      bundleFile: at(identity.bundleFile),
    },
    certificate: { certFile: at(certificate.certFile), keyFile: at(certificate.keyFile) },
    state: at(config.state),
    telemetry: { ...telemetry, directory: at(telemetry.directory) },
  };
}
