// SPDX-License-Identifier: Apache-2.0
export { createFakeClock, type FakeClock } from './fake-clock.ts';
export { createMemoryLogStore } from './memory-log-store.ts';
export { createSeededRandom } from './seeded-random.ts';
export { parseVectors } from './vectors.ts';
