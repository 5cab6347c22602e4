// SPDX-License-Identifier: Apache-2.0
export {
  createMemoryCell,
  type MemoryCell,
  type MemoryCellOptions,
  type MemoryEngine,
} from './memory-cell.ts';
