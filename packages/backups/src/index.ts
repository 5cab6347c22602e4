// SPDX-License-Identifier: Apache-2.0
export { findChain, listExpired, newestOf } from './chain.ts';
export { BackupsError, type BackupsErrorCode } from './errors.ts';
export {
  type BackedUpTable,
  type BackupKind,
  type BackupManifest,
  hasObject,
  NO_OBJECT,
  parseManifest,
  type TableScope,
} from './manifest.ts';
export { findSegment, parseObjectName, toManifestName, toSegmentName } from './object-name.ts';
export type { ObjectStore, StoredObject, WrittenObject } from './ports.ts';
