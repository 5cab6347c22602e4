// SPDX-License-Identifier: Apache-2.0
// From a wire's flow to the domain's: the instant becomes a number, what is absent its default.
import type { WireFlow } from '@bailiwick/contracts';
import { type Flow, parseInstant } from '@bailiwick/kernel';

/** @throws {KernelError} `KERNEL_INSTANT_INVALID` for an instant that no calendar has. */
export function toFlow(wire: WireFlow, nowMs: number): Flow {
  const { at, consent, conditions, ...rest } = wire;
  return {
    ...rest,
    consent: consent ?? 'absent',
    conditions: [...new Set(conditions ?? [])].sort(),
    atMs: at === undefined ? nowMs : parseInstant(at),
  };
}
