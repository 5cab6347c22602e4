// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { aLog, aPrivateKey } from './a-log.ts';
import { toVerifierKeyText } from './note.ts';
import { createCosigner } from './signer.ts';
import {
  COSIGNATURE_AHEAD_SECONDS_MAX,
  findBeliedWitnesses,
  inspectWitnessed,
  parseTlogPolicy,
  type TlogPolicy,
  verifyWitnessed,
} from './tlog-policy.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const { signer, checkpoint } = aLog(5);
const logKey = toVerifierKeyText(signer.verifierKey);
const text = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1);
const names = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'];
const cosigners = new Map(
  names.map((name) => [
    name,
    createCosigner({ name: `w.example/${name}`, privateKey: aPrivateKey(name) }),
  ]),
);
const keyOf = (name: string): string => {
  const cosigner = cosigners.get(name);
  return cosigner === undefined ? '' : toVerifierKeyText(cosigner.verifierKey);
};
const witnessLines = names.map((name) => `witness ${name} ${keyOf(name)}`).join('\n');
const EXAMPLE = `# as in the specification
log ${logKey}  https://log.example/

\t${witnessLines}
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;
const signedBy = (...signers: readonly string[]): string =>
  checkpoint +
  signers
    .map((name) => cosigners.get(name)?.cosign(text, { atSeconds: 1_700_000_000 }) ?? '')
    .join('');

describe('a witness policy', () => {
  const policy = parseTlogPolicy(EXAMPLE);

  it('is read with its groups, keys and addresses', () => {
    expect(policy.logs).toMatchObject([{ url: 'https://log.example/' }]);
    expect(policy.groups.map(({ threshold }) => threshold)).toEqual([2, 1, 2]);
    expect(policy.quorum).toBe('X-and-Y');
  });

  it.each([[['X1', 'X2', 'Y1']], [['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3']], [['Y3', 'X3', 'X1']]])(
    'holds with %s',
    (signers) => {
      const { witnesses, groups } = verifyWitnessed(signedBy(...signers), policy);
      expect(witnesses.map(({ name }) => name)).toEqual([...signers].sort());
      expect(groups).toEqual(['X-witnesses', 'Y-witnesses', 'X-and-Y']);
    },
  );

  it.each([[[]], [['X1', 'Y1']], [['X1', 'X2', 'X3']], [['Y1', 'Y2', 'Y3']], [['X1', 'X1', 'Y1']]])(
    'does not hold with %s',
    (signers) => {
      expect(() => verifyWitnessed(signedBy(...signers), policy)).toThrow(
        code('LEDGER_QUORUM_MISSING'),
      );
    },
  );

  it('does not count a cosignature of another checkpoint', () => {
    const other = aLog(6).checkpoint;
    const line = cosigners
      .get('X1')
      ?.cosign(other.slice(0, other.indexOf('\n\n') + 1), { atSeconds: 1 });
    expect(() => verifyWitnessed(checkpoint + line, policy)).toThrow(
      code('LEDGER_SIGNATURE_INVALID'),
    );
  });

  it('does not know a log that it does not list', () => {
    const foreign = aLog(5, { origin: 'us-va/main/ledger/1' }).checkpoint;
    expect(() => verifyWitnessed(foreign, policy)).toThrow(code('LEDGER_NOTE_UNSIGNED'));
  });

  it('can ask for nobody', () => {
    const lenient = parseTlogPolicy(`log ${logKey}\nquorum none\n`);
    expect(verifyWitnessed(checkpoint, lenient).witnesses).toEqual([]);
  });

  const w1 = `witness X1 ${keyOf('X1')}`;
  const w2 = `witness X2 ${keyOf('X2')}`;
  it.each([
    ['no quorum', w1],
    ['two quorums', `${w1}\nquorum X1\nquorum X1`],
    ['a quorum that is not defined before', `quorum X1\n${w1}`],
    ['a quorum of two names', `${w1}\nquorum X1 X1`],
    ['an unknown word', `${w1}\nwitnesses X1\nquorum X1`],
    ['a name given twice', `${w1}\nwitness X1 ${keyOf('X2')}\nquorum X1`],
    ['a key given twice', `${w1}\nwitness X2 ${keyOf('X1')}\nquorum X1`],
    ['a log given twice', `log ${logKey}\nlog ${logKey}\nquorum none`],
    ['a witness called none', `witness none ${keyOf('X1')}\nquorum none`],
    ['a log with the key of a witness', `log ${keyOf('X1')}\nquorum none`],
    ['a witness with the key of a log', `witness L ${logKey}\nquorum none`],
    ['a group without members', `${w1}\ngroup g any\nquorum g`],
    ['a group of strangers', `${w1}\ngroup g any X9\nquorum g`],
    ['a group of itself', `${w1}\ngroup g any g\nquorum g`],
    ['a group with none in it', `${w1}\ngroup g any none\nquorum g`],
    ['a threshold of 0', `${w1}\ngroup g 0 X1\nquorum g`],
    ['a threshold above the members', `${w1}\ngroup g 2 X1\nquorum g`],
    ['a threshold in hex', `${w1}\ngroup g 0x1 X1\nquorum g`],
    ['a member of two groups', `${w1}\n${w2}\ngroup a any X1\ngroup b any X1 X2\nquorum b`],
    ['a member twice in a group', `${w1}\ngroup a 2 X1 X1\nquorum a`],
    ['a carriage return', `${w1}\r\nquorum X1`],
    ['a control character', `${w1}\n# \u0007\nquorum X1`],
  ])('is refused with %s', (_what, file) => {
    expect(() => parseTlogPolicy(file)).toThrow(code('LEDGER_POLICY_INVALID'));
  });

  it('is refused with a key that is none, and with too many lines', () => {
    expect(() => parseTlogPolicy('log x+00000000+AAAA\nquorum none')).toThrow(
      code('LEDGER_KEY_INVALID'),
    );
    expect(() => parseTlogPolicy(`#${'a'.repeat(300_000)}\nquorum none`)).toThrow(
      code('LEDGER_POLICY_INVALID'),
    );
  });

  it('tells names apart by their octets', () => {
    const file = `witness K ${keyOf('X1')}\nwitness \u212a ${keyOf('X2')}\ngroup g all K \u212a\nquorum g`;
    expect(parseTlogPolicy(Buffer.from(file)).witnesses.length).toBe(2);
  });
});

describe('what a policy says of who cosigned', () => {
  const AT = 1_800_000_000;
  const log = aLog(40);
  const later = aLog(60);
  const origin = log.signer.verifierKey;
  const names = ['a', 'b', 'c', 'd'] as const;
  const cosigners = names.map((name) =>
    createCosigner({ name: `${name}.example/w`, privateKey: aPrivateKey(`voice ${name}`) }),
  );
  const policyOf = (...lines: readonly string[]): TlogPolicy =>
    parseTlogPolicy(
      [
        `log ${toVerifierKeyText(origin)}`,
        ...cosigners.map(
          ({ verifierKey }, index) => `witness ${names[index]} ${toVerifierKeyText(verifierKey)}`,
        ),
        ...lines,
        '',
      ].join('\n'),
    );
  const cosigned = (checkpoint: string, by: string, atSeconds = AT): string => {
    const text = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1);
    const lines = cosigners
      .filter((_, index) => by.includes(names[index] ?? ''))
      .map((cosigner) => cosigner.cosign(text, { atSeconds }));
    return checkpoint + lines.join('');
  };
  const voicesOf = (policy: TlogPolicy, by: string): readonly string[] =>
    inspectWitnessed(cosigned(log.checkpoint, by), policy).voices.map(({ name }) => name);

  it('counts witnesses of one owner as one voice, whether or not its threshold is met', () => {
    const policy = policyOf('group x all a b c', 'group y any d', 'group q all x y', 'quorum q');
    expect(voicesOf(policy, 'abcd')).toEqual(['x', 'y']);
    expect(voicesOf(policy, 'abc')).toEqual(['x']);
    expect(voicesOf(policy, 'ad')).toEqual(['x', 'y']);
    expect(voicesOf(policy, '')).toEqual([]);
    expect(voicesOf(policyOf('group q 2 a b c d', 'quorum q'), 'abcd')).toEqual(['q']);
    expect(voicesOf(policyOf('group x any a b', 'quorum x'), 'abcd')).toEqual(['x', 'c', 'd']);
  });

  it('tells who cosigned although the quorum is missing, and verifies nothing then', () => {
    const policy = policyOf('group q 3 a b c d', 'quorum q');
    const note = cosigned(log.checkpoint, 'ab');
    expect(inspectWitnessed(note, policy)).toMatchObject({ isQuorumMet: false });
    expect(inspectWitnessed(note, policy).witnesses.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(() => verifyWitnessed(note, policy)).toThrow(
      expect.objectContaining({ code: 'LEDGER_QUORUM_MISSING' }),
    );
  });

  it('does not count a cosignature from the future', () => {
    const policy = policyOf('quorum a');
    const note = cosigned(log.checkpoint, 'a');
    const nowSeconds = AT - COSIGNATURE_AHEAD_SECONDS_MAX;
    expect(inspectWitnessed(note, policy, { nowSeconds }).isQuorumMet).toBe(true);
    expect(inspectWitnessed(note, policy, { nowSeconds: nowSeconds - 1 })).toMatchObject({
      isQuorumMet: false,
      witnesses: [],
      voices: [],
    });
  });

  it('names a witness whose times belie each other', () => {
    const policy = policyOf('quorum none');
    const at = (checkpoint: string, by: string, seconds: number) =>
      inspectWitnessed(cosigned(checkpoint, by, seconds), policy);
    const before = at(log.checkpoint, 'ab', AT);
    expect(findBeliedWitnesses(before, at(later.checkpoint, 'abc', AT))).toEqual([]);
    expect(findBeliedWitnesses(before, at(later.checkpoint, 'bc', AT - 1))).toEqual(['b']);
    expect(findBeliedWitnesses(before, at(log.checkpoint, 'ab', AT - 1))).toEqual([]);
  });
});
