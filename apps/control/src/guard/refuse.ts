// SPDX-License-Identifier: Apache-2.0
import { ControlError } from '../errors.ts';
import { findPersonalData, type GuardProfile } from './personal-data.ts';

/**
 * Refuses what looks like personal data, by place and kind.
 *
 * @throws {ControlError} `CONTROL_PERSONAL_DATA_REFUSED`
 */
export function refusePersonalData(
  value: unknown,
  options: { readonly profile: GuardProfile; readonly except?: readonly string[] },
): void {
  const findings = findPersonalData(value, options);
  if (findings.length === 0) return;
  throw new ControlError(
    'CONTROL_PERSONAL_DATA_REFUSED',
    'the control plane holds nothing about people: take it out',
    {
      places: findings
        .slice(0, 8)
        .map(({ pointer, kind }) => ({ pointer, detail: `looks like: ${kind}` })),
    },
  );
}
