// SPDX-License-Identifier: Apache-2.0
// The first door: decides flows that somebody else enforces. Each decision is on record before it is told.
import type { Decision, Flow } from '@bailiwick/kernel';
import type { CellRuntime } from '../runtime.ts';
import type { Credential } from '../services.ts';

/** Decides each flow and enters each decision; answers in order once all entries are durable. */
export async function decideBatch(
  runtime: CellRuntime,
  credential: Credential,
  flows: readonly Flow[],
): Promise<readonly Decision[]> {
  const decided = flows.map((flow) => ({
    flow,
    decision: runtime.enforcement.answer(credential.tenantId, flow),
  }));
  await Promise.all(
    decided.map((one) =>
      runtime.entries.record(credential.tenantId, {
        kind: 'decision',
        ...runtime.enforcement.toDraft(credential, one),
      }),
    ),
  );
  return decided.map(({ decision }) => decision);
}
