// SPDX-License-Identifier: Apache-2.0
// The verifier: everything that one who distrusts us needs, and no signing code. It imports the few files
// named here and `node:crypto`, nothing else; read them in this order.

export {
  type Checkpoint,
  parseCheckpoint,
  type SignedCheckpoint,
  toCheckpointText,
  verifyCheckpoint,
} from './checkpoint.ts';
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
  verifyExport,
} from './export.ts';
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
  toVerifierKeyText,
  type VerifierKey,
  verifyNote,
} from './note.ts';
export {
  type Consistency,
  type Inclusion,
  toInclusionRoot,
  verifyConsistency,
  verifyInclusion,
} from './proof.ts';
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
