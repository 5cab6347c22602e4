// SPDX-License-Identifier: Apache-2.0
export {
  type ConfigKind,
  type ConfigOrigin,
  type ConfigSources,
  type LoadedConfig,
  loadConfig,
  readSecretFile,
} from './config.ts';
export { runServer, type ServerArguments, type Serving } from './server.ts';
