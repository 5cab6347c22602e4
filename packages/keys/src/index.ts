// SPDX-License-Identifier: Apache-2.0
export {
  BLIND_INDEX_SIZE_BYTES,
  blindIndex,
  NORMAL_FORM_VERSION,
  NORMAL_FORMS,
  type NormalForm,
  toNormalForm,
} from './blind-index.ts';
export { deriveRecordId, deriveSubjectId } from './caller-id.ts';
export {
  type CustomerKeyVersionRow,
  KEY_REQUEST_STATES,
  type KeyRequestRow,
  type KeyRequestSignature,
  type KeyRequestState,
  type KeyRequestStore,
  type KeyRotationStore,
  type RotationRow,
  type TenantKeyUse,
} from './custody-ports.ts';
export {
  addDsseSignature,
  DSSE_PAYLOAD_SIZE_BYTES_MAX,
  DSSE_SIGNATURES_COUNT_MAX,
  type DsseEnvelope,
  DsseError,
  type DsseErrorCode,
  type DssePinnedKey,
  type DsseSignature,
  type DsseSigner,
  encodePae,
  parseDsse,
  parsePinnedKey,
  signDsse,
  toDsseKeyId,
  toDsseSigner,
  toPublicKeyText,
  type VerifiedDsse,
  verifyDsse,
} from './dsse.ts';
export { ENVELOPE_OVERHEAD_BYTES, openEnvelope, sealEnvelope } from './envelope.ts';
export { isKeysCode, KeysError, type KeysErrorCode } from './errors.ts';
export { FACTS_MAC_SIZE_BYTES, macFacts, verifyFacts } from './facts.ts';
export {
  encodeKeyRequest,
  type KeyRequestAction,
  type KeyRequestBody,
  parseKeyRequest,
  signKeyRequest,
  verifyKeyRequest,
} from './key-request.ts';
export {
  CALLER_ID_LENGTH_MAX,
  INDEXED_VALUE_LENGTH_MAX,
  KEY_SIZE_BYTES,
  LEASE_MARGIN_MS,
  LEASE_MS,
  PLAINTEXT_SIZE_BYTES_MAX,
  RENEWAL_INTERVAL_MS,
  SUBJECTS_PER_SHRED_KEY_MAX,
} from './limits.ts';
export {
  type CollectionKeyRow,
  type CustomerKeyProvider,
  type CustomerKeyRow,
  type CustomerKeyStatus,
  ERASURE_STATES,
  type ErasableName,
  type ErasableReplica,
  type ErasableStore,
  type ErasureRow,
  type ErasureState,
  type KeyChangeRow,
  type KeyState,
  type KeyStateStore,
  type Reservation,
  type SecretRow,
  type ServiceTerm,
  type ShredKeyRow,
  type SubjectKeyRow,
  type TenantKeyRow,
  type WrapStore,
} from './ports.ts';
export { createPseudonymiser, PSEUDONYM_LENGTH, type Pseudonymiser } from './pseudonym.ts';
export {
  type BulkSealTemplate,
  createSealer,
  digestSeal,
  type KeyHandle,
  openValue,
  parseSealedText,
  parseSealedValue,
  type SealedValue,
  type Sealer,
  sealValue,
  toSealedText,
} from './sealed-value.ts';
export { createKey, takeKey, wipe, withMaterial } from './secret.ts';
export {
  combineShares,
  multiplyInField,
  SHARES_COUNT_MAX,
  SHARES_THRESHOLD_MIN,
  splitKey,
} from './shares.ts';
export {
  type SignedStatement,
  type StatementBody,
  signStatement,
  toStatementKey,
  verifyStatement,
} from './statement.ts';
export {
  deriveSubjectWrappingKey,
  encodeWrapContext,
  type SubjectWrapping,
  unwrapKey,
  WRAP_KINDS,
  WRAP_SIZE_BYTES,
  type WrapContext,
  type WrapKind,
  wrapKey,
} from './wrap.ts';
export { forgetDerivations } from './xaes.ts';
