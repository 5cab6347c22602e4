// SPDX-License-Identifier: Apache-2.0
// What the cell itself denies whatever the charter says: what stands against a legal order, what would
// remove data under a hold, and, where the charter has no word for it, what a person has objected to or
// had restricted.
import type { Action, Decision, DenialCause, Flow, Reason } from '@bailiwick/kernel';
import type { OrderInForce, Standing } from '../services.ts';

const REMOVING: readonly Action[] = ['delete', 'erase'];
/** What goes on while a person's data may only be kept. */
const KEEPING: readonly Action[] = [...REMOVING, 'backup', 'replicate'];

function deny(decision: Decision, cause: DenialCause, reason: Reason): Decision {
  return {
    ...decision,
    outcome: 'deny',
    cause,
    obligations: [],
    nearest: [],
    reasons: [reason],
  };
}

/** The denial that an order means, or orders that cannot be known. */
export function findOrderDenial(decision: Decision, order: OrderInForce | 'unknown'): Decision {
  if (order === 'unknown') {
    return deny(decision, 'facts-unverified', {
      rule: 'legal-order',
      because: 'the legal orders of this cell cannot be read or do not verify',
      source: 'Bailiwick invariant 4',
    });
  }
  return deny(decision, 'legal-order', {
    rule: 'legal-order',
    because: `a legal order (${order.measure}) stands against it`,
    source: `order ${order.orderId}, reference ${order.reference}`,
  });
}

/** What the person's standing denies beyond the charter; `undefined`: nothing. */
export function findStandingDenial(
  decision: Decision,
  question: {
    readonly flow: Flow;
    readonly standing: Standing;
    /** Conditions that the charter names: it rules on those itself. */
    readonly declared: readonly string[];
  },
): Decision | undefined {
  const { flow, standing, declared } = question;
  const { action, data } = flow;
  if (standing.isUnverified) {
    return deny(decision, 'facts-unverified', {
      rule: 'standing',
      because: 'what is stored of this person’s rights is not what was written',
      source: 'Bailiwick invariant 2',
    });
  }
  const { conditions } = standing;
  // A hold holds also where a charter names it and forgets to rule on it.
  if (conditions.includes('legal-hold') && REMOVING.includes(action)) {
    return deny(decision, 'subject-standing', {
      rule: 'legal-hold',
      because: 'somebody has ordered that this data be kept',
      source: 'GDPR Art. 17(3)(b) and (e)',
    });
  }
  const isAboutPeople = data.class === 'restricted' || data.class === 'sensitive';
  if (!isAboutPeople || KEEPING.includes(action)) return undefined;
  if (conditions.includes('processing-restricted') && !declared.includes('processing-restricted')) {
    return deny(decision, 'subject-standing', {
      rule: 'processing-restricted',
      because: 'the person has had the processing restricted: the data is kept and not used',
      source: 'GDPR Art. 18(2)',
    });
  }
  if (conditions.includes('objected') && !declared.includes('objected')) {
    return deny(decision, 'subject-standing', {
      rule: 'objected',
      because: 'the person has objected to this purpose',
      source: 'GDPR Art. 21(1) and (3)',
    });
  }
  return undefined;
}
