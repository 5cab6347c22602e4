// SPDX-License-Identifier: Apache-2.0
// `router.yaml`.
import { parseRouterConfig, type RouterConfig, RouterConfigSchema } from '@bailiwick/contracts';
import { type ConfigSources, type LoadedConfig, loadConfig } from '@bailiwick/process';
import { RouterError } from './errors.ts';

const refuse = (problem: string, cause?: unknown): RouterError =>
  new RouterError('ROUTER_CONFIG_INVALID', problem, { cause });

/** @throws {RouterError} `ROUTER_CONFIG_INVALID` naming what is wrong and where. */
export function loadRouterConfig(sources: ConfigSources): LoadedConfig<RouterConfig> {
  return loadConfig({ schema: RouterConfigSchema, parse: parseRouterConfig, refuse }, sources);
}
