// SPDX-License-Identifier: Apache-2.0
export {
  ATTRIBUTE_IDS,
  ATTRIBUTE_INDEX,
  type Attribute,
  type AttributeId,
  CONDITION_INDEX_FIRST,
  findPeriod,
  NONE,
} from './attribute.ts';
export { type Box, type Masks, toMasks, type ValueSet, type Variant } from './box.ts';
export { type CedarText, toCedar, toCedarSchema } from './cedar.ts';
export {
  type CompiledCharter,
  type CompiledRetention,
  type CompileOptions,
  compileCharter,
  findCell,
  findOrigin,
  homeOf,
  type Sha256Hex,
  suggestOrigin,
} from './compile.ts';
export { toCompiledJson } from './compiled-json.ts';
export type { DemandDifference } from './demands.ts';
export {
  type CharterDifference,
  diffCharters,
  type FlowDifference,
  type HomeDifference,
  isWider,
} from './diff.ts';
export type {
  CellClause,
  CharterDocument,
  Choice,
  ExceptionClause,
  FlowClause,
  HomeClause,
  KeyClause,
  ObligationClause,
  PropertyClause,
  RetentionClause,
  RuleClause,
} from './document.ts';
export {
  CHARTER_PROBLEM_CODES,
  CharterError,
  type CharterErrorCode,
  type CharterProblem,
  type CharterProblemCode,
} from './errors.ts';
export {
  type CharterFinding,
  FINDING_KINDS,
  type FindingKind,
  type FindingOptions,
  inspectCharter,
} from './findings.ts';
export type { BoxContext } from './flow-box.ts';
export type { Home, HomeRefusal } from './home.ts';
export { narrowCharter, proveTerms, type TermsProof } from './narrow.ts';
export { type ParseOptions, parseCharter } from './parse.ts';
export { type CharterProof, type PropertyProof, proveCharter } from './prove.ts';
export { toRego } from './rego.ts';
export {
  type CharterReport,
  REPORT_KINDS,
  type ReportKind,
  type ReportOptions,
  toCharterReport,
} from './report.ts';
export type {
  CompiledCell,
  CompiledMechanism,
  CompiledProperty,
  CompiledProvider,
} from './resolve.ts';
export { findRetention, type RetainedData, type RetentionTerm } from './retention.ts';
export type { CompiledRule } from './ruling.ts';
export { toJsonSchema } from './schema.ts';
export {
  type Assignment,
  createCharterDimensions,
  type Dimension,
  type FoldedChoice,
  measureSpace,
  type SpaceSize,
  type SpaceState,
  toAssignment,
  toCharterFlow,
  walkSpace,
} from './space.ts';
export { suspendMechanism } from './suspend.ts';
export { type CompiledTerms, type ContractTerms, compileTerms, parseTerms } from './terms.ts';
export {
  type CharterTestCase,
  type CharterTests,
  parseCharterTests,
  type TestExpectation,
  type TestFlow,
  type ToldFlow,
  toTestFlow,
} from './tests-file.ts';
export { toTestsJsonSchema } from './tests-schema.ts';
export type { VariableClause, VariableValue, VariableValues } from './variables.ts';
export { addObligations, isAtLeast, listMatched, toVerdict, type Verdict } from './verdict.ts';
export type { Witness } from './witness.ts';
