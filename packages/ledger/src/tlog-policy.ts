// SPDX-License-Identifier: Apache-2.0
// Trust policies (c2sp.org/tlog-policy): which logs, which witnesses, and how many of which group must
// have cosigned a checkpoint. Groups follow who runs the witnesses, so that two machines of one owner
// count as one voice.
import { type SignedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import { LedgerError } from './errors.ts';
import { decodeDecimal, toVerified, type Verified } from './hash.ts';
import { parseNote, parseVerifierKey, SIGNATURE_TYPES, type VerifierKey } from './note.ts';

/** Longest policy read, and most logs, witnesses or groups in it (at least 32 are asked for). */
export const POLICY_SIZE_BYTES_MAX = 262_144;
export const POLICY_MEMBERS_COUNT_MAX = 256;

export interface PolicyLog {
  readonly key: VerifierKey;
  readonly url?: string;
}

export interface PolicyWitness extends PolicyLog {
  readonly name: string;
}

export interface PolicyGroup {
  readonly name: string;
  /** How many members must have witnessed. */
  readonly threshold: number;
  readonly members: readonly string[];
}

export interface TlogPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  /** A group stands behind the groups that it names. */
  readonly groups: readonly PolicyGroup[];
  /** Name of a witness or a group, or `none`. */
  readonly quorum: string;
}

/** What a policy says about one checkpoint. */
export interface Witnessed {
  readonly checkpoint: SignedCheckpoint;
  /** Names of the witnesses that cosigned, with the time of each. */
  readonly witnesses: readonly { readonly name: string; readonly atSeconds: number }[];
  /** Names of the groups that have their threshold. */
  readonly groups: readonly string[];
  /**
   * Who is heard: groups stand for who runs the witnesses, so all witnesses of a group are one voice. As
   * many as there are voices are independent of each other.
   */
  readonly voices: readonly Voice[];
  readonly isQuorumMet: boolean;
}

/** One who runs witnesses, and which of them cosigned. */
export interface Voice {
  /** Name of the group, or of a witness that is in none. */
  readonly name: string;
  readonly witnesses: readonly string[];
}

class PolicyReader {
  readonly logs: PolicyLog[] = [];
  readonly witnesses: PolicyWitness[] = [];
  readonly groups: PolicyGroup[] = [];
  quorum: string | undefined;
  readonly #members = new Set<string>();

  read(line: string, number: number): void {
    const refuse = (problem: string): never => refusePolicy(`line ${number}: ${problem}`, number);
    const [keyword = '', ...items] = line.split(/[ \t]+/).filter((item) => item !== '');
    if (keyword === '' || keyword.startsWith('#')) return;
    if (keyword === 'log') this.#readLog(items, refuse);
    else if (keyword === 'witness') this.#readWitness(items, refuse);
    else if (keyword === 'group') this.#readGroup(items, refuse);
    else if (keyword === 'quorum') this.#readQuorum(items, refuse);
    else refuse('expected `log`, `witness`, `group` or `quorum`');
  }

  #isDefined(name: string): boolean {
    return (
      this.witnesses.some((witness) => witness.name === name) ||
      this.groups.some((group) => group.name === name)
    );
  }

  #readLog(items: readonly string[], refuse: Refuse): void {
    const [text = '', url, ...rest] = items;
    if (text === '' || rest.length > 0) refuse('expected `log <vkey> [<url>]`');
    const key = this.#readKey(text, SIGNATURE_TYPES.ed25519, refuse);
    if (this.logs.some((log) => isSameKey(log.key, key))) refuse('a log with this key is there');
    if (this.logs.length === POLICY_MEMBERS_COUNT_MAX) refuse('too many logs');
    this.logs.push({ key, ...(url === undefined ? {} : { url }) });
  }

  #readWitness(items: readonly string[], refuse: Refuse): void {
    const [name = '', text = '', url, ...rest] = items;
    if (text === '' || rest.length > 0) refuse('expected `witness <name> <vkey> [<url>]`');
    if (name === 'none' || this.#isDefined(name)) refuse('name is taken');
    const key = this.#readKey(text, SIGNATURE_TYPES.cosignature, refuse);
    if (this.witnesses.some((witness) => isSameKey(witness.key, key))) {
      refuse('a witness with this key is there');
    }
    if (this.witnesses.length === POLICY_MEMBERS_COUNT_MAX) refuse('too many witnesses');
    this.witnesses.push({ name, key, ...(url === undefined ? {} : { url }) });
  }

  #readGroup(items: readonly string[], refuse: Refuse): void {
    const [name = '', rule = '', ...members] = items;
    if (members.length === 0) refuse('expected `group <name> all|any|<k> <name>…`');
    if (name === 'none' || this.#isDefined(name)) refuse('name is taken');
    const threshold =
      rule === 'all' ? members.length : rule === 'any' ? 1 : (decodeDecimal(rule) ?? 0);
    if (threshold < 1 || threshold > members.length) refuse('threshold must be from 1 to n');
    for (const member of members) {
      if (!this.#isDefined(member)) refuse('a member is not defined on a line before');
      if (this.#members.has(member)) refuse('a member is in a group already');
      this.#members.add(member);
    }
    if (this.groups.length === POLICY_MEMBERS_COUNT_MAX) refuse('too many groups');
    this.groups.push({ name, threshold, members });
  }

  #readQuorum(items: readonly string[], refuse: Refuse): void {
    const [name = '', ...rest] = items;
    if (name === '' || rest.length > 0) refuse('expected `quorum <name>`');
    if (this.quorum !== undefined) refuse('there is a quorum already');
    if (name !== 'none' && !this.#isDefined(name)) refuse('quorum is not defined before');
    this.quorum = name;
  }

  #readKey(text: string, type: number, refuse: Refuse): VerifierKey {
    // A vkey's name is UTF-8, and its key id is computed over that.
    const key = parseVerifierKey(Buffer.from(text, 'latin1').toString('utf8'));
    return key.type === type ? key : refuse('key has the wrong signature type');
  }
}

type Refuse = (problem: string) => never;

function refusePolicy(problem: string, line?: number): never {
  throw new LedgerError('LEDGER_POLICY_INVALID', problem, { details: { line } });
}

function isSameKey(a: VerifierKey, b: VerifierKey): boolean {
  return Buffer.compare(a.publicKey, b.publicKey) === 0;
}

/** Reads a policy file. @throws {LedgerError} `LEDGER_POLICY_INVALID` with the line, `LEDGER_KEY_INVALID` */
export function parseTlogPolicy(file: Uint8Array | string): TlogPolicy {
  // Names are octets: latin1 keeps each octet apart, so that no two names fold into one.
  const text = Buffer.from(file).toString('latin1');
  if (text.length > POLICY_SIZE_BYTES_MAX) refusePolicy('policy is too long');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the specification names them.
  if (/[\u0000-\u0008\u000b-\u001f\u007f]/.test(text)) refusePolicy('control character in policy');
  const reader = new PolicyReader();
  for (const [index, line] of text.split('\n').entries()) reader.read(line, index + 1);
  const { logs, witnesses, groups, quorum } = reader;
  if (quorum === undefined) refusePolicy('expected one `quorum` line');
  return { logs, witnesses, groups, quorum };
}

/** Longest that a cosignature's time may lie ahead of the verifier's clock. */
export const COSIGNATURE_AHEAD_SECONDS_MAX = 300;

/**
 * Looks at a checkpoint under a policy: who cosigned, and whether they are the quorum. Cosignatures from the
 * future (against `nowSeconds`) do not count.
 *
 * @throws {LedgerError} the codes of `verifyCheckpoint`: a checkpoint of no log of the policy is an error
 */
export function inspectWitnessed(
  note: Uint8Array | string,
  policy: TlogPolicy,
  options: { readonly nowSeconds?: number } = {},
): Witnessed {
  const origin = parseNote(note).text.split('\n', 1)[0];
  const logs = policy.logs.map(({ key }) => key).filter(({ name }) => name === origin);
  if (logs.length === 0) {
    throw new LedgerError('LEDGER_NOTE_UNSIGNED', 'the policy knows no log with this origin');
  }
  const keys = policy.witnesses.map(({ key }) => key);
  const checkpoint = verifyCheckpoint(note, { log: logs, witnesses: keys });
  const latest = (options.nowSeconds ?? Number.MAX_SAFE_INTEGER) + COSIGNATURE_AHEAD_SECONDS_MAX;
  const witnesses = policy.witnesses.flatMap(({ name, key }) => {
    const times = checkpoint.signers.flatMap(({ key: signer, atSeconds = 0 }) =>
      signer === key && atSeconds > 0 && atSeconds <= latest ? [atSeconds] : [],
    );
    return times.length === 0 ? [] : [{ name, atSeconds: Math.max(...times) }];
  });
  const present = new Set(witnesses.map(({ name }) => name));
  const voices = listVoices(policy, present);
  const groups: string[] = [];
  for (const { name, threshold, members } of policy.groups) {
    if (members.filter((member) => present.has(member)).length < threshold) continue;
    present.add(name);
    groups.push(name);
  }
  const isQuorumMet = policy.quorum === 'none' || present.has(policy.quorum);
  return { checkpoint, witnesses, groups, voices, isQuorumMet };
}

/** Witnesses of one group are one voice, whatever the group's threshold; one in no group is its own. */
function listVoices({ groups, witnesses }: TlogPolicy, present: ReadonlySet<string>): Voice[] {
  const owners = new Map<string, string[]>();
  for (const { name } of witnesses) {
    if (!present.has(name)) continue;
    const owner = groups.find(({ members }) => members.includes(name))?.name ?? name;
    owners.set(owner, [...(owners.get(owner) ?? []), name]);
  }
  return [...owners].map(([name, members]) => ({ name, witnesses: members }));
}

/**
 * Verifies a checkpoint under a policy: signed by one of its logs, cosigned by its quorum.
 *
 * @throws {LedgerError} `LEDGER_QUORUM_MISSING`, and the codes of `verifyCheckpoint`
 */
export function verifyWitnessed(
  note: Uint8Array | string,
  policy: TlogPolicy,
  options: { readonly nowSeconds?: number } = {},
): Verified<Witnessed> {
  const witnessed = inspectWitnessed(note, policy, options);
  if (!witnessed.isQuorumMet) {
    throw new LedgerError('LEDGER_QUORUM_MISSING', 'too few witnesses cosigned the checkpoint', {
      details: { quorum: policy.quorum, witnesses: witnessed.witnesses.map(({ name }) => name) },
    });
  }
  return toVerified(witnessed);
}

/**
 * Witnesses whose times belie each other: one who said at a time that the log had the earlier size cannot
 * have seen the larger one before that time.
 */
export function findBeliedWitnesses(earlier: Witnessed, later: Witnessed): readonly string[] {
  if (later.checkpoint.size <= earlier.checkpoint.size) return [];
  return later.witnesses.flatMap(({ name, atSeconds }) => {
    const before = earlier.witnesses.find((witness) => witness.name === name);
    return before !== undefined && before.atSeconds > atSeconds ? [name] : [];
  });
}
