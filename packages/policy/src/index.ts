// SPDX-License-Identifier: Apache-2.0
export {
  createEngine,
  ELEMENT_COUNT_MAX,
  type Engine,
  type EngineOptions,
  type Explanation,
} from './engine.ts';
