// SPDX-License-Identifier: Apache-2.0
export { type CollectionStore, collectionsOf } from './collection-store.ts';
export type {
  CompiledCollection,
  CompiledField,
  CompiledFieldSet,
} from './compiled-collection.ts';
export { COLLECTION_PROBLEMS, CollectionError } from './errors.ts';
export { registerCollectionRoutes } from './routes.ts';
