// SPDX-License-Identifier: Apache-2.0
// Serving a restored cell without what its witnesses cosigned: two people must want it, by name and with
// their keys, for exactly this ledger; it opens a new epoch that begins with what they signed, so that
// nobody can overlook it later.
import { createHash } from 'node:crypto';
import {
  APPROVAL_PAYLOAD_TYPE,
  type CellConfig,
  parseApprovalStatement,
} from '@bailiwick/contracts';
import { isCoded, toCanonicalJson } from '@bailiwick/kernel';
import { type DssePinnedKey, parsePinnedKey, verifyDsse } from '@bailiwick/keys';
import type { LogHead } from '@bailiwick/ledger';
import { CellError } from '../errors.ts';

/** What approvers sign: this head is where the old epoch ends. */
export interface ForcedEnd {
  readonly epoch: number;
  /** SHA-256 of the canonical JSON of cell and head, lower-case hex. */
  readonly hash: string;
}

/** The statement for a head: `serial` is the epoch that begins. */
export function toForcedEnd(cell: string, { epoch, size, root }: LogHead): ForcedEnd {
  const text = toCanonicalJson({ cell, epoch, root: Buffer.from(root).toString('hex'), size });
  return { epoch: epoch + 1, hash: createHash('sha256').update(text, 'utf8').digest('hex') };
}

/** Who approved. */
export interface ForcedApproval extends ForcedEnd {
  readonly approvedBy: readonly string[];
  readonly approvals: readonly unknown[];
}

/**
 * Checks the approvals of a forced restore by the keys pinned in the cell's configuration.
 *
 * @throws {CellError} `RESTORE_APPROVAL_INVALID`
 */
export function verifyForce(
  config: Pick<CellConfig, 'cell' | 'trust' | 'ledger'>,
  head: LogHead,
  approvals: readonly unknown[],
): ForcedApproval {
  const wanted = toForcedEnd(config.cell, head);
  const refuse = (problem: string): never => {
    throw new CellError('RESTORE_APPROVAL_INVALID', problem, {
      details: { serial: wanted.epoch, hash: wanted.hash },
    });
  };
  if (config.ledger.epoch !== wanted.epoch) {
    refuse(`set \`ledger.epoch\` to ${wanted.epoch}: a forced restore begins a new epoch`);
  }
  const pinned = config.trust.approvers.map(({ key }) => parsePinnedKey(key));
  const approvedBy = new Set<string>();
  for (const approval of approvals) {
    for (const keyId of signersOf(approval, { keys: pinned, wanted })) approvedBy.add(keyId);
  }
  if (approvedBy.size < config.trust.threshold) {
    refuse(
      `expected ${config.trust.threshold} approvers to sign subject \`restore\`, serial ${wanted.epoch}, hash \`${wanted.hash}\`; found ${approvedBy.size}`,
    );
  }
  return { ...wanted, approvedBy: [...approvedBy].sort(), approvals };
}

/** Ids of the pinned keys that signed exactly what is wanted. */
function signersOf(
  approval: unknown,
  { keys, wanted }: { readonly keys: readonly DssePinnedKey[]; readonly wanted: ForcedEnd },
): readonly string[] {
  if (keys.length === 0) return [];
  try {
    const { payload, keyIds } = verifyDsse(approval, { payloadType: APPROVAL_PAYLOAD_TYPE, keys });
    const { subject, serial, hash } = parseApprovalStatement(payload);
    return subject === 'restore' && serial === wanted.epoch && hash === wanted.hash ? keyIds : [];
  } catch (error) {
    // An approval that does not verify approves nothing; the others still count.
    if (isCoded(error, 'KEYS_DSSE_UNTRUSTED') || isCoded(error, 'KEYS_DSSE_MALFORMED')) return [];
    if (isCoded(error, 'CONTRACT_VALUE_INVALID')) return [];
    throw error;
  }
}
