// SPDX-License-Identifier: Apache-2.0
export {
  createRestJudge,
  type RestingData,
  type RestJudge,
  type RestOptions,
  type RestProblem,
  type RestProblemKind,
  type RestRemedy,
} from './at-rest.ts';
export {
  type CharterTestResult,
  type CharterTestRun,
  runCharterTests,
} from './charter-tests.ts';
export {
  type Counsel,
  type CounselQuestion,
  findDissent,
  toCounselQuestions,
} from './counsel.ts';
export {
  createEngine,
  ELEMENT_COUNT_MAX,
  type Engine,
  type EngineOptions,
} from './engine.ts';
export { type Explanation, NEAREST_COUNT_MAX } from './explain.ts';
