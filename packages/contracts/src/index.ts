// SPDX-License-Identifier: Apache-2.0
export * from './bundle.ts';
export {
  type CollectionDescription,
  type CollectionSchema,
  CollectionSchemaSchema,
  type FieldSchema,
  type FieldSetSchema,
  PROTECTIONS,
  type Protection,
  parseCollectionSchema,
} from './collection.ts';
export {
  type CellConfig,
  CellConfigSchema,
  type ObservedLocation,
  parseCellConfig,
} from './config.ts';
export * from './directory.ts';
export {
  FIELD_TYPES,
  FieldNameSchema,
  type FieldType,
  type FieldValue,
  NORMAL_FORMS,
  type NormalForm,
} from './field.ts';
export {
  createLineMapper,
  findMissingColumns,
  type IdPart,
  type ImportMapping,
  ImportMappingSchema,
  type LineMapper,
  type LineProblem,
  type MappedLine,
  parseFieldText,
} from './import-mapping.ts';
export { createLineSplitter, type LineSplitter, parseCsvLine, type SplitLine } from './lines.ts';
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
export * from './record.ts';
