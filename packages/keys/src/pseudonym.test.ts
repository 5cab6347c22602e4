// SPDX-License-Identifier: Apache-2.0
import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createPseudonymiser, PSEUDONYM_LENGTH } from './pseudonym.ts';

const keyOf = (byte: number) => createSecretKey(Buffer.alloc(32, byte));
const A = '01890a5d-ac96-774b-bcce-b302099a8057';
const B = '01890a5d-ac96-774b-bcce-b302099a8058';

describe('pseudonyms of a transfer', () => {
  it('are the same for the same value and tell nothing of it', () => {
    const one = createPseudonymiser(keyOf(1), A);
    const again = createPseudonymiser(keyOf(1), A);
    expect(one.value('email', 'erika@example.test')).toBe(
      again.value('email', 'erika@example.test'),
    );
    expect(one.value('email', 'erika@example.test')).toMatch(/^p-[0-9a-f]{32}$/);
    expect(one.value('email', 'x')).toHaveLength(PSEUDONYM_LENGTH);
    expect(one.id('subject', A)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-/);
  });

  it.each([
    ['another transfer', createPseudonymiser(keyOf(1), B)],
    ['another tenant', createPseudonymiser(keyOf(2), A)],
  ])('cannot be joined with those of %s', (_what, other) => {
    const one = createPseudonymiser(keyOf(1), A);
    expect(other.value('email', 'x')).not.toBe(one.value('email', 'x'));
    expect(other.id('subject', B)).not.toBe(one.id('subject', B));
  });

  it('keep fields and kinds apart', () => {
    const one = createPseudonymiser(keyOf(1), A);
    expect(one.value('name', 'x')).not.toBe(one.value('email', 'x'));
    expect(one.value('a', 'bc')).not.toBe(one.value('ab', 'c'));
    expect(one.id('record', A)).not.toBe(one.id('subject', A));
  });
});
