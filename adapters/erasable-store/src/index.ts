// SPDX-License-Identifier: Apache-2.0
export { createErasableStore, openErasableStore } from './directory-store.ts';
export { type ReplaceReplicaOptions, replaceReplica } from './replace-replica.ts';
