// SPDX-License-Identifier: Apache-2.0

export {
  type Checkpoint,
  parseCheckpoint,
  type SignedCheckpoint,
  toCheckpointText,
  verifyCheckpoint,
} from './checkpoint.ts';
export {
  ENTRY_KINDS,
  ENTRY_SIZE_BYTES_MAX,
  type EntryActor,
  type EntryBody,
  type EntryDecision,
  type EntryFacts,
  type EntryFlow,
  type EntryKind,
  type EntryRecords,
  type EntryWrites,
  parseEntryBody,
  toCanonicalBody,
} from './entry.ts';
export { LedgerError, type LedgerErrorCode, type LedgerErrorDetails } from './errors.ts';
export {
  type CosignedTime,
  EXPORT_FILES,
  EXPORT_FORMAT,
  ExportError,
  type ExportedBody,
  type ExportManifest,
  type ExportOptions,
  type ExportProblem,
  type ExportProblemCode,
  type ExportReader,
  type ExportReport,
  INSTANT_TOLERANCE_SECONDS,
  inspectExport,
  toBodyLine,
  toManifestText,
  verifyExport,
} from './export.ts';
export { type ExportPart, writeExport } from './export-writer.ts';
export {
  commitEntry,
  EMPTY_ROOT,
  HASH_SIZE_BYTES,
  isSameBytes,
  SALT_SIZE_BYTES,
  toLeafHash,
  toNodeHash,
  type Verified,
} from './hash.ts';
export {
  createVerifierKey,
  type NoteSignature,
  parseNote,
  parseVerifierKey,
  SIGNATURE_TYPES,
  type SignatureType,
  type SignedNote,
  type Signer,
  toSignatureLine,
  toVerifierKeyText,
  type VerifierKey,
  verifyNote,
} from './note.ts';
export { OCSF_VERSION, type OcsfEvent, type OcsfPlace, toOcsfEvent } from './ocsf.ts';
export {
  BATCH_ENTRIES_COUNT_MAX,
  type BatchId,
  type BatchPlace,
  type LogStore,
  type NewEntry,
  type SequenceResult,
  type StoredCheckpoint,
} from './ports.ts';
export {
  type Consistency,
  type Inclusion,
  toInclusionRoot,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts';
export { createProver, PROVER_TILES_COUNT_MAX, type Prover, type ReadTile } from './prover.ts';
export {
  DELETED_DIGEST,
  encodeWriteItems,
  type LatestWrite,
  parseWriteItems,
  type RowProblem,
  type RowProblemKind,
  type RowWrite,
  WriteHistory,
} from './row-check.ts';
export {
  type Cosigner,
  createCosigner,
  createLogSigner,
  type LogSigner,
  toOrigin,
} from './signer.ts';
export {
  isSubtree,
  type Subtree,
  type SubtreeConsistency,
  verifySubtreeConsistency,
  verifySubtreeInclusion,
} from './subtree.ts';
export {
  listTiles,
  parseEntryBundle,
  parseTilePath,
  TILE_WIDTH,
  type TileAddress,
  toTilePath,
} from './tile.ts';
export {
  COSIGNATURE_AHEAD_SECONDS_MAX,
  findBeliedWitnesses,
  inspectWitnessed,
  type PolicyGroup,
  type PolicyLog,
  type PolicyWitness,
  parseTlogPolicy,
  type TlogPolicy,
  type Voice,
  verifyWitnessed,
  type Witnessed,
} from './tlog-policy.ts';
export { parseTlogProof, type TlogProof, toTlogProofText, verifyTlogProof } from './tlog-proof.ts';
export {
  EMPTY_EDGE,
  extendLog,
  type LogEdge,
  type LogExtension,
  type LogHead,
  listEdgeTiles,
  type TileWrite,
  toEntryBundle,
  toLogEdge,
  toServedTile,
} from './tree.ts';
export {
  type AddCheckpointRequest,
  type CosignDecision,
  decideCosign,
  parseAddCheckpoint,
  toAddCheckpointText,
  type WitnessedHead,
} from './witness.ts';
export {
  CLOCK_STEP_SECONDS_MAX,
  createWitness,
  TIME_SECONDS_MIN,
  type Witness,
  type WitnessAnswer,
  type WitnessedCheckpoint,
  type WitnessOptions,
  type WitnessStore,
} from './witness-service.ts';
