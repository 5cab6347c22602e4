// SPDX-License-Identifier: Apache-2.0
// The second door, outwards: opens values that lie in an application's own database. What a seal says
// decides who may see it; it is attacker-controlled until the envelope opens under it, which is why the
// decision comes first and counts for nothing when the value then does not open.
import type { FieldValue, OpenResult } from '@bailiwick/contracts';
import {
  DATA_CLASSES,
  type Decision,
  type EntryId,
  type Flow,
  isCoded,
  type SubjectId,
} from '@bailiwick/kernel';
import { openValue, parseSealedText, type SealedValue } from '@bailiwick/keys';
import { CellError } from '../errors.ts';
import { toProblem } from '../problem.ts';
import { toEntryRecords } from '../records/entry.ts';
import { findPerson, type Person } from '../records/sight.ts';
import type {
  CellServices,
  Credential,
  FlowRequest,
  KeyHandle,
  KeyProblem,
  KeyReference,
} from '../services.ts';
import { findPeopleOfKeys } from './people-of-keys.ts';

export interface OpenAsker {
  readonly credential: Credential;
  readonly purpose: string;
}

interface Parsed {
  readonly at: number;
  readonly value: SealedValue;
  person?: Person;
}

interface Decided {
  readonly flow: Flow;
  readonly decision: Decision;
}

const CHECKPOINT_MS_MAX = 5_000;

/** Opens each value, in order, and leaves one entry for all that was opened. */
export async function openValues(
  services: CellServices,
  asker: OpenAsker,
  sealed: readonly string[],
): Promise<{ readonly items: readonly OpenResult[]; readonly entry?: EntryId }> {
  const results = new Array<OpenResult>(sealed.length);
  const parsed = parseAll(services, asker, sealed, results);
  const people = await findPeopleOfKeys(
    services,
    asker.credential.tenantId,
    parsed.map(({ value }) => value.seal.keyId),
  );
  for (const one of parsed) one.person = await personOf(services, asker, one, people);
  const groups = [...Map.groupBy(parsed, groupOf).values()];
  const visible: { readonly group: readonly Parsed[]; readonly decided: Decided }[] = [];
  for (const group of groups) {
    const decided = await decideGroup(services, asker, group, results);
    if (decided !== undefined) visible.push({ group, decided });
  }
  const wanted = visible.flatMap(({ group }) => group);
  const keys = await findKeys(services, asker, wanted);
  const opened: Parsed[] = [];
  for (const one of wanted) {
    const result = openOne(keys, one.value);
    results[one.at] = result;
    if ('fields' in result) opened.push(one);
  }
  if (opened.length === 0) return { items: results };
  return { items: results, entry: await enter(services, asker, visible, opened) };
}

function parseAll(
  services: CellServices,
  { credential }: OpenAsker,
  sealed: readonly string[],
  results: OpenResult[],
): Parsed[] {
  const parsed: Parsed[] = [];
  for (const [at, text] of sealed.entries()) {
    try {
      const value = parseSealedText(text);
      const { tenantId, cellId } = value.seal;
      // SECURITY: said before any key is looked for: another tenant's or cell's value is not ours to open.
      if (tenantId !== credential.tenantId || cellId !== services.cellId) {
        throw new CellError('CELL_SEAL_FOREIGN', 'the value was not sealed for this tenant here');
      }
      parsed.push({ at, value });
    } catch (error) {
      const problem = toProblem(error);
      if (problem.status >= 500) throw error;
      results[at] = { problem };
    }
  }
  return parsed;
}

const groupOf = ({ value: { seal }, person }: Parsed): string =>
  `${seal.class} ${seal.category} ${seal.origin} ${seal.residency} ${seal.regimes.join(' ')} ` +
  `${person?.standing?.id ?? ''} ${person?.subjectId ?? ''}`;

/** SECURITY: the seal is the caller's word until it opens; so is whose key it names, and then it opens. */
async function personOf(
  services: CellServices,
  asker: OpenAsker,
  { value: { seal } }: Parsed,
  people: ReadonlyMap<string, SubjectId>,
): Promise<Person> {
  const subjectId = people.get(seal.keyId);
  const { tenantId } = asker.credential;
  const preparing = services.standings.prepare(tenantId, [subjectId]);
  if (preparing) await preparing;
  const collection = { id: seal.collectionId, version: 0, categories: [seal.category] };
  return findPerson(services, asker, { collection, subjectId });
}

function toRequest({ purpose }: OpenAsker, { value: { seal }, person }: Parsed): FlowRequest {
  return {
    ...person,
    action: 'open',
    class: seal.class,
    categories: [seal.category],
    regimes: seal.regimes,
    origin: seal.origin,
    residency: seal.residency,
    purpose,
  };
}

/** Decides for values of one label; what must not be seen gets its result here. */
async function decideGroup(
  services: CellServices,
  asker: OpenAsker,
  group: readonly Parsed[],
  results: OpenResult[],
): Promise<Decided | undefined> {
  const [first] = group;
  if (first === undefined) return undefined;
  try {
    const decided = await services.enforcement.require(asker.credential, toRequest(asker, first));
    if (!isMasked(decided.decision, first.value.seal.category)) return decided;
    for (const { at, value } of group) results[at] = { fields: {}, masked: [value.seal.fieldSet] };
  } catch (error) {
    if (!isCoded(error, 'POLICY_FLOW_DENIED')) throw error;
    const problem = toProblem(error);
    for (const { at } of group) results[at] = { problem };
  }
  return undefined;
}

function isMasked(decision: Decision, category: string): boolean {
  return decision.obligations.some(
    ({ kind, categories }) =>
      (kind === 'mask' || kind === 'redact') && categories?.includes(category) !== false,
  );
}

type FoundKeys = ReadonlyMap<string, KeyHandle | KeyProblem>;

const referenceName = ({ keyId, version }: KeyReference): string => `${keyId} ${version}`;
const toReference = ({ seal }: SealedValue): KeyReference => ({
  keyId: seal.keyId,
  version: seal.keyVersion,
});

/** Each key asked for once. */
async function findKeys(
  services: CellServices,
  { credential }: OpenAsker,
  wanted: readonly Parsed[],
): Promise<FoundKeys> {
  const references = new Map(
    wanted.map(({ value }) => [referenceName(toReference(value)), toReference(value)]),
  );
  if (references.size === 0) return new Map();
  const names = [...references.keys()];
  const found = await services.keys.openingKeys(credential.tenantId, [...references.values()]);
  return new Map(
    names.flatMap((name, index) => {
      const key = found[index];
      return key === undefined ? [] : [[name, key] as const];
    }),
  );
}

function openOne(keys: FoundKeys, value: SealedValue): OpenResult {
  try {
    const found = keys.get(referenceName(toReference(value)));
    if (found !== undefined && 'key' in found) {
      return { fields: parseFields(openValue(found.key, value).toString('utf8')) };
    }
    if (found?.code === 'KEYS_KEY_ERASED') {
      throw new CellError('CELL_SEAL_ERASED', 'the person whom it is about was erased');
    }
    // SECURITY: an unknown key and a value that does not open are told alike.
    throw new CellError('CELL_SEAL_UNOPENED', 'the value does not open under its seal');
  } catch (error) {
    const problem = toProblem(error);
    if (problem.status >= 500) throw error;
    return { problem };
  }
}

/** Reads what this cell sealed: the envelope has opened, so it is ours. */
function parseFields(text: string): Readonly<Record<string, FieldValue>> {
  return JSON.parse(text) as Readonly<Record<string, FieldValue>>;
}

/** One entry: the strictest label's flow and decision, and all records by count and hash. */
async function enter(
  services: CellServices,
  { credential }: OpenAsker,
  visible: readonly { readonly group: readonly Parsed[]; readonly decided: Decided }[],
  opened: readonly Parsed[],
): Promise<EntryId> {
  const rank = ({ decided }: { readonly decided: Decided }): number =>
    DATA_CLASSES.indexOf(decided.flow.data.class);
  const [strictest] = visible.toSorted((a, b) => rank(a) - rank(b));
  if (strictest === undefined)
    throw new CellError('CELL_INTERNAL_FAULT', 'opened without a decision');
  const records = toEntryRecords(opened.map(({ value }) => value.seal.recordId));
  const receipt = await services.entries.record(credential.tenantId, {
    kind: 'open',
    ...services.enforcement.toDraft(credential, strictest.decided),
    ...(records === undefined ? {} : { records }),
    facts: {
      labels: visible.length,
      origins: [...new Set(visible.map(({ decided }) => decided.flow.data.origin))].sort(),
    },
  });
  const mustWait = visible.some(({ decided }) =>
    decided.decision.obligations.some(({ kind }) => kind === 'checkpoint'),
  );
  if (mustWait) {
    await services.entries.awaitCheckpoint(receipt.entryId, { timeoutMs: CHECKPOINT_MS_MAX });
  }
  return receipt.entryId;
}
