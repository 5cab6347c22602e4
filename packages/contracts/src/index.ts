// SPDX-License-Identifier: Apache-2.0
export * from './bundle.ts';
export {
  type CellConfig,
  CellConfigSchema,
  type ObservedLocation,
  parseCellConfig,
} from './config.ts';
export * from './directory.ts';
export * from './parse-with.ts';
export {
  NearestFlowSchema,
  PROBLEM_CONTENT_TYPE,
  type Problem,
  type ProblemPlace,
  ProblemSchema,
  ReasonSchema,
  toProblemType,
} from './problem.ts';
