// SPDX-License-Identifier: Apache-2.0
// `control.yaml`.
import { type ControlConfig, ControlConfigSchema, parseControlConfig } from '@bailiwick/contracts';
import {
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
  readSecretFile,
} from '@bailiwick/process';
import { ControlError } from './errors.ts';

const refuse = (problem: string, cause?: unknown): ControlError =>
  new ControlError('CONTROL_CONFIG_INVALID', problem, { cause });

/** @throws {ControlError} `CONTROL_CONFIG_INVALID` naming what is wrong and where. */
export function loadControlConfig(sources: ConfigSources): LoadedConfig<ControlConfig> {
  return loadConfig({ schema: ControlConfigSchema, parse: parseControlConfig, refuse }, sources);
}

/** Reads a secret or a key from its file. @throws {ControlError} `CONTROL_CONFIG_INVALID` */
export function readSmallFile(file: string): string {
  return readSecretFile(file, refuse);
}
