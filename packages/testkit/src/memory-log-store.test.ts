// SPDX-License-Identifier: Apache-2.0
import { createMemoryLogStore } from './memory-log-store.ts';
import { describeLogStore } from './suites/log-store.ts';

describeLogStore('memory', async () => {
  const store = createMemoryLogStore();
  return { store, again: () => store, close: async () => undefined };
});
