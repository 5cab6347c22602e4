// SPDX-License-Identifier: Apache-2.0
// `witness.yaml`.
import { parseWitnessConfig, type WitnessConfig, WitnessConfigSchema } from '@bailiwick/contracts';
import { type ConfigSources, type LoadedConfig, loadConfig } from '@bailiwick/process';
import { WitnessError } from './errors.ts';

const refuse = (problem: string, cause?: unknown): WitnessError =>
  new WitnessError('WITNESS_CONFIG_INVALID', problem, { cause });

/** @throws {WitnessError} `WITNESS_CONFIG_INVALID` naming what is wrong and where. */
export function loadWitnessConfig(sources: ConfigSources): LoadedConfig<WitnessConfig> {
  return loadConfig({ schema: WitnessConfigSchema, parse: parseWitnessConfig, refuse }, sources);
}
