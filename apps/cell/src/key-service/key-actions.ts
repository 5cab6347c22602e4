// SPDX-License-Identifier: Apache-2.0
// What requests ask for: checked before two people sign it, carried out after. Each is safe to repeat.
import { parseKeyId, type TenantId } from '@bailiwick/kernel';
import { type KeyRequestAction, KeysError } from '@bailiwick/keys';
import type { KeyAdministration, KeyTerms } from './api.ts';
import { assertCustody, type Custody, type CustodyPorts } from './custody.ts';
import type { Rotations } from './rotations.ts';

export interface KeyActionParts {
  readonly ports: CustodyPorts;
  readonly custody: Custody;
  readonly rotations: Rotations;
  readonly administration: Pick<KeyAdministration, 'changeState' | 'awaitChange'>;
}

const EFFECTIVE_TIMEOUT_MS = 3_000;

function final(): KeysError {
  return new KeysError('KEYS_KEY_FINAL', 'the key was disabled for good');
}

/**
 * Refuses what could not be carried out anyway.
 *
 * @throws {KeysError} `KEYS_KEY_FINAL`, `KEYS_KEY_IN_USE`, `KEYS_KEY_UNKNOWN`,
 *   `KEYS_PROVIDER_MISCONFIGURED`, `KEYS_APPROVAL_REFUSED`
 */
export async function checkKeyAction(
  { ports, custody, rotations }: KeyActionParts,
  tenantId: TenantId,
  { action, terms }: { readonly action: KeyRequestAction; readonly terms: KeyTerms },
): Promise<void> {
  const row = custody.rowOf(tenantId);
  switch (action.kind) {
    case 'end':
      if (row.isFinal) throw final();
      return;
    case 'destroy': {
      const { customerKeys, tenantKeys } = await rotations.report(tenantId);
      const found = [...customerKeys, ...tenantKeys].find(
        ({ keyId, version }) => keyId === action.keyId && version === action.version,
      );
      if (found === undefined) throw new KeysError('KEYS_KEY_UNKNOWN', 'no such version of a key');
      if (found.isDestroyable) return;
      throw new KeysError('KEYS_KEY_IN_USE', 'the report says what is still wrapped under it');
    }
    case 'move':
      if (row.isFinal) throw final();
      assertCustody(await ports.providers.find(tenantId, action.provider), terms);
      return;
    case 'staleness':
      if (action.stalenessMs <= ports.stalenessMsMax) return;
      throw new KeysError(
        'KEYS_APPROVAL_REFUSED',
        'this cell is configured with a shorter staleness',
      );
  }
}

/** Does what was approved. */
export async function carryOutKeyAction(
  { ports, custody, rotations, administration }: KeyActionParts,
  tenantId: TenantId,
  requestId: string,
  action: KeyRequestAction,
): Promise<void> {
  switch (action.kind) {
    case 'end': {
      const { keyId } = custody.rowOf(tenantId);
      // Final first: from here on nothing enables it, whatever happens to the rest.
      await ports.rotations.setFinal(tenantId, ports.clock.nowMs());
      await custody.reload(tenantId);
      await administration.changeState({ changeId: requestId, tenantId, keyId, to: 'disabled' });
      await administration.awaitChange(requestId, { timeoutMs: EFFECTIVE_TIMEOUT_MS });
      return;
    }
    case 'destroy': {
      const { keyId, version } = action;
      await rotations.destroy({ tenantId, keyId: parseKeyId(keyId), version });
      return;
    }
    case 'move': {
      const move = { kind: 'customer-key', providerName: action.provider } as const;
      await rotations.begin({ rotationId: requestId, tenantId, ...move });
      return;
    }
    case 'staleness':
      await ports.store.setStaleness(tenantId, { stalenessMs: action.stalenessMs });
      await custody.reload(tenantId);
  }
}
