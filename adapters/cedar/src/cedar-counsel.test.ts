// SPDX-License-Identifier: Apache-2.0
// Goal: only Cedar's plain allow is a yes. Method: policies that permit, forbid, say nothing and fail.
import type { CounselQuestion } from '@bailiwick/policy';
import { describe, expect, it } from 'vitest';
import { createCedarCounsel } from './cedar-counsel.ts';

const QUESTION: CounselQuestion = {
  actor: {
    kind: 'workload',
    role: 'shop-service',
    employer: 'controller',
    assurance: 'high',
    place: 'de',
  },
  action: 'read',
  data: {
    class: 'restricted',
    category: 'contact',
    regime: 'gdpr',
    origin: 'de',
    residency: 'eu-de',
  },
  form: 'plain',
  to: { kind: 'reader', id: 'none', location: 'de', operator: 'de' },
  purpose: 'order-fulfilment',
  mechanism: 'none',
  consent: 'absent',
  given: ['tenant-instructed'],
  at: 1_795_000_000_000,
};
const PERMIT = 'permit (principal, action, resource);\n';
const open = (policies: string) => createCedarCounsel({ name: 'house', policies });

describe('a counsel of Cedar policies', () => {
  it('says yes where they permit, and no where one forbids', () => {
    const counsel = open(
      `${PERMIT}forbid (principal, action == Bailiwick::Action::"export", resource) when { context.to.operator != "de" };`,
    );
    expect(counsel.ask(QUESTION)).toBe(true);
    const to = { ...QUESTION.to, operator: 'us' };
    expect(counsel.ask({ ...QUESTION, to })).toBe(true);
    expect(counsel.ask({ ...QUESTION, action: 'export', to })).toBe(false);
  });

  it('sees every part of the question', () => {
    for (const condition of [
      'context.actor.role == "shop-service"',
      'context.data.category == "contact"',
      'context.data.regime == "gdpr"',
      'context.to.location == "de"',
      'context.purpose == "order-fulfilment"',
      'context.given.contains("tenant-instructed")',
      'context.at > 1790000000000',
    ]) {
      const counsel = open(`${PERMIT}forbid (principal, action, resource) when { ${condition} };`);
      expect(counsel.ask(QUESTION), condition).toBe(false);
    }
  });

  it('says no where nothing permits', () => {
    const counsel = open('permit (principal, action == Bailiwick::Action::"count", resource);');
    expect(counsel.ask(QUESTION)).toBe(false);
  });

  it('says no where a policy fails, whatever the others say', () => {
    const counsel = open(
      `${PERMIT}forbid (principal, action, resource) when { context.at * 9000000000 > 0 };`,
    );
    expect(counsel.ask(QUESTION)).toBe(false);
  });

  it.each([
    ['no Cedar', 'allow everything'],
    [
      'an attribute that there is not',
      `${PERMIT}forbid (principal, action, resource) when { context.colour == "red" };`,
    ],
    [
      'an action that there is not',
      'permit (principal, action == Bailiwick::Action::"dance", resource);',
    ],
    [
      'a comparison of a text with a number',
      `permit (principal, action, resource) when { context.purpose < 7 };`,
    ],
  ])('is not made of %s', (_what, policies) => {
    expect(() => open(policies)).toThrowError(
      expect.objectContaining({ code: 'CEDAR_POLICIES_INVALID' }),
    );
  });
});
