// SPDX-License-Identifier: Apache-2.0
// Contract terms that a customer has signed change only with that customer's signature. The control plane
// delivers agreements and cannot make one: the operator's side must be a key pinned in this cell, the
// customer's side the key that signed before, unless that very key signed its successor in.
import {
  AGREEMENT_PAYLOAD_TYPE,
  type BundleTenant,
  parseAgreementStatement,
} from '@bailiwick/contracts';
import { isCoded, toCanonicalJson } from '@bailiwick/kernel';
import { type DssePinnedKey, parseDsse, parsePinnedKey, verifyDsse } from '@bailiwick/keys';

/** Why an agreement does not carry the terms beside it; `undefined`: it does, or none is needed. */
export type AgreementProblem = string | undefined;

/**
 * Looks whether terms may follow what was agreed. All of `next` is untrusted; `before` was accepted.
 *
 * Terms without an agreement may follow only terms without one.
 */
export function findAgreementProblem(
  before: Pick<BundleTenant, 'agreement' | 'termsHash'> | undefined,
  next: BundleTenant,
  approvers: readonly DssePinnedKey[],
): AgreementProblem {
  if (next.agreement === undefined) {
    return before?.agreement === undefined ? undefined : 'terms that were signed follow unsigned';
  }
  try {
    return checkAgreement(before, next, approvers);
  } catch (error) {
    const isUnverified =
      isCoded(error, 'KEYS_DSSE_UNTRUSTED') ||
      isCoded(error, 'KEYS_DSSE_MALFORMED') ||
      isCoded(error, 'CONTRACT_VALUE_INVALID');
    if (!isUnverified) throw error;
    return 'the agreement does not verify';
  }
}

function checkAgreement(
  before: Pick<BundleTenant, 'agreement'> | undefined,
  next: BundleTenant,
  approvers: readonly DssePinnedKey[],
): AgreementProblem {
  const statement = parseAgreementStatement(
    Buffer.from(parseDsse(next.agreement).payload, 'base64'),
  );
  const [provider, customer] = [
    parsePinnedKey(statement.provider),
    parsePinnedKey(statement.customer),
  ];
  if (provider.keyId === customer.keyId) return 'one key has signed for both sides';
  // SECURITY: the operator's side is a key in this cell's own configuration, not one that the bundle names.
  if (!approvers.some(({ keyId }) => keyId === provider.keyId)) return 'no pinned key has signed';
  for (const key of [provider, customer, ...findKeyBefore(before)]) {
    verifyDsse(next.agreement, { payloadType: AGREEMENT_PAYLOAD_TYPE, keys: [key] });
  }
  const isMeant =
    statement.tenantId === next.tenantId &&
    statement.serial === next.termsSerial &&
    toCanonicalJson(parseJson(statement.terms)) === toCanonicalJson(parseJson(next.terms));
  return isMeant ? undefined : 'the agreement is about other terms';
}

/** The customer's key of the agreement in force: it must sign what follows. */
function findKeyBefore(
  before: Pick<BundleTenant, 'agreement'> | undefined,
): readonly DssePinnedKey[] {
  if (before?.agreement === undefined) return [];
  const { payload } = parseDsse(before.agreement);
  return [parsePinnedKey(parseAgreementStatement(Buffer.from(payload, 'base64')).customer)];
}

/** Both came out of a JSON parser. */
function parseJson(value: unknown): Parameters<typeof toCanonicalJson>[0] {
  return value as Parameters<typeof toCanonicalJson>[0];
}
