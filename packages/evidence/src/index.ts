// SPDX-License-Identifier: Apache-2.0

export { type PackFiles, parseArchive, writeArchive } from './archive.ts';
export { EvidenceError, type EvidenceErrorCode } from './errors.ts';
export { type Figures, type Registers, type Table, toCsv } from './figures.ts';
export {
  PACK_FILES_COUNT_MAX,
  PACK_SIZE_BYTES_MAX,
  PROBLEMS_COUNT_MAX,
  RECEIPTS_COUNT_MAX,
} from './limits.ts';
export { OSCAL_VERSION } from './oscal.ts';
export {
  type MadePack,
  makePack,
  PACK_SOURCES,
  type PackReading,
  type PackSources,
} from './pack.ts';
export { digestStatements, parseReceipts, type Receipt, toReceiptsText } from './receipts.ts';
export type { ProvenCharter } from './reports.ts';
export {
  EVIDENCE_FORMAT,
  EVIDENCE_OBSERVED,
  type EvidenceStatement,
  parseStatement,
  sha256,
  toStatementText,
} from './statement.ts';
export { inspectPack, type PackOptions, type PackProblem, type PackReport } from './verify.ts';
