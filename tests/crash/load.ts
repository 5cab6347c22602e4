// SPDX-License-Identifier: Apache-2.0
// Mixed load with a journal. Each worker owns its records, asks until every request has an answer, and holds
// what it reads against what it was told before: an acknowledged write that is lost, doubled or changed is
// seen at once, and again at the end.
import { createSeededRandom } from '@bailiwick/testkit';
import { aCustomer, CUSTOMERS } from '../system/collections.ts';
import type { SharedSystem } from '../system/shared.ts';
import { createTenant, type OwnTenant } from '../system/tenant.ts';
import { waitUntil } from '../system/wait-until.ts';
import { openPerson, type Person, RECOVERY_MS_MAX, type Settled } from './person.ts';
import type { Rig, RigResidency } from './rig.ts';

const IMPORT_LINES_COUNT = 40;
const MINIMUM_COUNT = 10;

/** A record as it was acknowledged. */
interface Known {
  readonly recordId: string;
  readonly version: number;
  readonly name: string;
}

/** What the load did and saw. */
export interface Tally {
  readonly done: Readonly<Record<string, number>>;
  readonly answers: Readonly<Record<string, number>>;
}

export interface Load {
  tally(): Tally;
  /** Ends after the operations under way, then reads every acknowledged record again. */
  finish(): Promise<Tally>;
  /** Rejects with the first thing that was not as acknowledged. */
  readonly failed: Promise<never>;
}

/** Numbers from a seed. */
export interface Dice {
  /** From 0 to `count` - 1. */
  pick(count: number): number;
}

export function createDice(seed: number | string): Dice {
  const random = createSeededRandom(seed);
  return {
    pick: (count) => Buffer.from(random.bytes(6)).readUIntBE(0, 6) % count,
  };
}

class Counter {
  readonly #counts = new Map<string, number>();
  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }
  toObject(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort());
  }
}

function demand(isRight: boolean, what: string, settled?: Settled): void {
  if (isRight) return;
  const told =
    settled === undefined
      ? ''
      : `: ${settled.answer.status} after ${settled.tries} tries ${settled.answer.text.slice(0, 1200)}`;
  throw new Error(`${what}${told}`);
}

const recordsOf = (collection: string): string => `/v1/collections/${collection}/records`;
const originOf = (residency: RigResidency): string => (residency === 'eu-de' ? 'de' : 'uk');

interface Parts {
  readonly system: SharedSystem;
  readonly tenant: OwnTenant;
  readonly residency: RigResidency;
  readonly done: Counter;
  readonly onAnswer: (status: number | 'lost', code: string) => void;
}

/** One worker: its own records at one cell. */
class Worker {
  readonly #parts: Parts;
  readonly #name: string;
  readonly #dice: Dice;
  readonly #shop: Person;
  readonly #privacy: Person;
  readonly #known = new Map<string, Known>();
  readonly #gone = new Set<string>();
  #made = 0;

  constructor(parts: Parts, name: string, seed: string) {
    this.#parts = parts;
    this.#name = name;
    this.#dice = createDice(`${seed}/${name}`);
    const { system, tenant, residency, onAnswer } = parts;
    this.#shop = openPerson(system, { tenant, account: 'shop', residency }, onAnswer);
    this.#privacy = openPerson(system, { tenant, account: 'privacy', residency }, onAnswer);
  }

  async step(): Promise<void> {
    const roll = this.#dice.pick(100);
    const id = this.#pickKnown();
    if (id === undefined || roll < 30) await this.#create();
    else if (roll < 55) await this.#read(id);
    else if (roll < 70) await this.#update(id);
    else if (roll < 78) await this.#search(id);
    else if (roll < 86) await this.#delete(id);
    else if (roll < 91) await this.#import();
    else if (roll < 94) await this.#erase(id);
    else await this.#readGone();
  }

  #pickKnown(): string | undefined {
    const ids = [...this.#known.keys()];
    return ids.length === 0 ? undefined : ids[this.#dice.pick(ids.length)];
  }

  #newId(): string {
    this.#made += 1;
    return `${this.#name}-${this.#made}`;
  }

  #draft(id: string): Record<string, unknown> & { readonly fields: { readonly name: string } } {
    return aCustomer(id, { origin: originOf(this.#parts.residency) }) as never;
  }

  async #create(): Promise<void> {
    const id = this.#newId();
    const draft = this.#draft(id);
    const settled = await this.#shop.ask({
      method: 'POST',
      path: recordsOf('customers'),
      body: draft,
    });
    const { status, body } = settled.answer;
    demand(status === 201 || (status === 200 && settled.tries > 1), 'create', settled);
    this.#known.set(id, { recordId: body.recordId, version: 1, name: draft.fields.name });
    this.#parts.done.add('create');
  }

  async #import(): Promise<void> {
    const ids = Array.from({ length: IMPORT_LINES_COUNT }, () => this.#newId());
    const drafts = ids.map((id) => this.#draft(id));
    const settled = await this.#shop.ask({
      method: 'POST',
      path: '/v1/collections/customers/imports',
      body: `${drafts.map((draft) => JSON.stringify(draft)).join('\n')}\n`,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const { status, body } = settled.answer;
    const taken = Number(body.accepted) + Number(body.unchanged);
    demand(status === 200 && taken === ids.length && body.refusedCount === 0, 'import', settled);
    demand(settled.tries > 1 || body.accepted === ids.length, 'import at once', settled);
    // The answer names no ids: each is found by its own e-mail address.
    for (const id of ids.slice(0, 4)) {
      const found = await this.#find(id);
      demand(found !== undefined, `imported ${id} is found`);
      if (found !== undefined) this.#known.set(id, found);
    }
    this.#parts.done.add('import');
    this.#imported += ids.length - 4;
  }

  /** Imported and never looked at again: they are counted at the end. */
  #imported = 0;

  async #find(id: string): Promise<Known | undefined> {
    const settled = await this.#shop.ask({
      method: 'POST',
      path: '/v1/collections/customers/searches',
      body: { where: { email: { eq: `${id}@post.example` } } },
    });
    demand(settled.answer.status === 200, 'search', settled);
    const { items } = settled.answer.body;
    demand(items.length <= 1, `one ${id} only`, settled);
    const [item] = items;
    return item === undefined
      ? undefined
      : { recordId: item.recordId, version: item.version, name: item.fields.name };
  }

  async #search(id: string): Promise<void> {
    const known = this.#known.get(id);
    const found = await this.#find(id);
    demand(
      found?.version === known?.version && found?.name === known?.name,
      `search gives what was acknowledged of ${id}: ${JSON.stringify([known, found])}`,
    );
    this.#parts.done.add('search');
  }

  async #read(id: string): Promise<void> {
    const known = this.#known.get(id);
    if (known === undefined) return;
    const settled = await this.#shop.ask({
      method: 'GET',
      path: `${recordsOf('customers')}/${known.recordId}`,
    });
    const { status, body } = settled.answer;
    const isSame = body.version === known.version && body.fields?.name === known.name;
    demand(status === 200 && isSame, `read of ${id} (version ${known.version})`, settled);
    this.#parts.done.add('read');
  }

  async #readGone(): Promise<void> {
    const ids = [...this.#gone];
    const id = ids[this.#dice.pick(Math.max(1, ids.length))];
    if (id === undefined) return;
    const found = await this.#find(id);
    demand(found === undefined, `${id} stays gone`);
    this.#parts.done.add('read of what is gone');
  }

  async #update(id: string): Promise<void> {
    const known = this.#known.get(id);
    if (known === undefined) return;
    const name = `Renamed ${this.#name} ${known.version + 1}`;
    const settled = await this.#shop.ask({
      method: 'PATCH',
      path: `${recordsOf('customers')}/${known.recordId}`,
      body: { fields: { name } },
      headers: { 'if-match': `"${known.version}"` },
    });
    const { status } = settled.answer;
    // A try whose answer was lost may have been done: then the version is the next one already.
    const wasDone = settled.tries > 1 && status === 412;
    demand(status === 200 || wasDone, `update of ${id}`, settled);
    this.#known.set(id, { ...known, version: known.version + 1, name });
    if (wasDone) await this.#read(id);
    this.#parts.done.add('update');
  }

  async #delete(id: string): Promise<void> {
    const known = this.#known.get(id);
    if (known === undefined) return;
    const settled = await this.#shop.ask({
      method: 'DELETE',
      path: `${recordsOf('customers')}/${known.recordId}`,
      headers: { 'if-match': `"${known.version}"` },
    });
    const { status } = settled.answer;
    demand(status === 204 || (settled.tries > 1 && status === 404), `delete of ${id}`, settled);
    this.#known.delete(id);
    this.#gone.add(id);
    this.#parts.done.add('delete');
  }

  async #erase(id: string): Promise<void> {
    const settled = await this.#privacy.ask({
      method: 'POST',
      path: '/v1/erasures',
      body: { subject: id },
    });
    const { status, body } = settled.answer;
    demand(status < 300 && typeof body.erasureId === 'string', `erasure of ${id}`, settled);
    this.#known.delete(id);
    this.#gone.add(id);
    this.#parts.done.add('erasure');
    demand((await this.#find(id)) === undefined, `${id} is gone after its erasure`);
  }

  /** Everything acknowledged is there as it was acknowledged, and nothing that went. */
  async verify(): Promise<number> {
    for (const id of this.#known.keys()) await this.#read(id);
    for (const id of [...this.#gone].slice(-20)) {
      demand((await this.#find(id)) === undefined, `${id} stays gone`);
    }
    return this.#known.size + this.#imported;
  }

  close(): void {
    this.#shop.close();
    this.#privacy.close();
  }
}

/** Figures from one cell to the other, one after the other. */
class Mover {
  readonly #person: Person;
  readonly #parts: Parts;
  readonly #to: string;
  askedCount = 0;

  constructor(parts: Parts, to: RigResidency) {
    const { system, tenant, residency, onAnswer } = parts;
    this.#parts = parts;
    this.#to = system.cell(to).cell;
    this.#person = openPerson(system, { tenant, account: 'analyst', residency }, onAnswer);
  }

  async step(): Promise<void> {
    const settled = await this.#person.ask({
      method: 'POST',
      path: '/v1/transfers',
      body: {
        kind: 'aggregate',
        selection: { collection: 'customers' },
        form: 'aggregated',
        destination: { kind: 'cell', id: this.#to },
        purpose: 'statistics',
        aggregate: { groupBy: ['country'], measures: [], minimumCount: MINIMUM_COUNT },
      },
      isTransient: ({ status, body }) =>
        status >= 500 || status === 429 || status === 409 || body.cause === 'charter-stale',
    });
    demand(settled.answer.status === 202, 'transfer', settled);
    this.askedCount += 1;
    const { transferId } = settled.answer.body;
    const ended = await waitUntil(
      `the end of transfer ${transferId}`,
      async () => {
        const now = await this.#person.ask({ method: 'GET', path: `/v1/transfers/${transferId}` });
        const { state } = now.answer.body;
        return ['completed', 'refused', 'failed'].includes(state) ? now : undefined;
      },
      { timeoutMs: RECOVERY_MS_MAX, intervalMs: 100 },
    );
    const { state, problem } = ended.answer.body;
    // Somebody in it was erased meanwhile: it was rightly taken back, and nothing left.
    const isTakenBack = state === 'refused' && problem?.code === 'TRANSFER_INVALID';
    demand(state === 'completed' || isTakenBack, `transfer ${transferId}`, ended);
    this.#parts.done.add(isTakenBack ? 'transfer taken back' : 'transfer');
  }

  /** A transfer that was asked for with one key is there once. */
  async verify(): Promise<void> {
    const { answer } = await this.#person.ask({ method: 'GET', path: '/v1/transfers' });
    demand(
      answer.body.items.length === Math.min(100, this.askedCount),
      `${this.askedCount} transfers asked, ${answer.body.items.length} there`,
    );
  }

  close(): void {
    this.#person.close();
  }
}

/** The switch of another tenant: off, nothing is read; on, everything is. */
class Switcher {
  readonly #security: Person;
  readonly #shop: Person;
  readonly #done: Counter;
  #keyId = '';
  #recordId = '';

  constructor({ system, tenant, residency, done, onAnswer }: Parts) {
    this.#done = done;
    this.#security = openPerson(system, { tenant, account: 'security', residency }, onAnswer);
    this.#shop = openPerson(system, { tenant, account: 'shop', residency }, onAnswer);
  }

  async step(): Promise<void> {
    if (this.#recordId === '') await this.#prepare();
    await this.#turn('disablements');
    // A cell that starts again must not forget that the key is off.
    await this.#read(423);
    await this.#turn('enablements');
    await this.#read(200);
    this.#done.add('key off and on');
  }

  async #prepare(): Promise<void> {
    const keys = await this.#security.ask({ method: 'GET', path: '/v1/keys' });
    demand(keys.answer.status === 200, 'keys', keys);
    this.#keyId = keys.answer.body.items.find(
      ({ kind }: { kind: string }) => kind === 'customer-key',
    ).keyId;
    const made = await this.#shop.ask({
      method: 'POST',
      path: recordsOf('customers'),
      body: aCustomer('switched'),
    });
    demand(made.answer.status < 300, 'create for the switch', made);
    this.#recordId = made.answer.body.recordId;
  }

  async #turn(noun: 'disablements' | 'enablements'): Promise<void> {
    const settled = await this.#security.ask({
      method: 'POST',
      path: `/v1/keys/${this.#keyId}/${noun}`,
      body: {},
    });
    demand(settled.answer.status === 200, noun, settled);
  }

  async #read(expected: number): Promise<void> {
    const settled = await this.#shop.ask({
      method: 'GET',
      path: `${recordsOf('customers')}/${this.#recordId}`,
    });
    demand(
      settled.answer.status === expected,
      `read with the key ${expected === 200 ? 'on' : 'off'}`,
      settled,
    );
  }

  close(): void {
    this.#security.close();
    this.#shop.close();
  }
}

async function putCollections(system: SharedSystem, tenant: OwnTenant): Promise<void> {
  for (const residency of ['eu-de', 'uk-lon'] as const) {
    const admin = openPerson(system, { tenant, account: 'admin', residency });
    const { answer } = await admin.ask({
      method: 'PUT',
      path: '/v1/collections/customers',
      body: CUSTOMERS,
    });
    demand(answer.status < 300, `collection in ${residency}: ${answer.text}`);
    admin.close();
  }
}

/** Starts the load; it runs until `finish`. */
export async function startLoad(
  { system }: Rig,
  options: { readonly seed: string; readonly workersCount: number },
): Promise<Load> {
  const [tenant, other] = [
    await createTenant(system, { residencies: ['eu-de', 'uk-lon'] }),
    await createTenant(system, { residencies: ['eu-de', 'uk-lon'] }),
  ];
  await putCollections(system, tenant);
  await putCollections(system, other);
  const done = new Counter();
  const answers = new Counter();
  const onAnswer: Parts['onAnswer'] = (status, code) => answers.add(`${status} ${code}`.trim());
  const parts = { system, tenant, done, onAnswer };
  const workers = Array.from({ length: options.workersCount }, (_, index) => {
    const residency = index % 4 === 3 ? 'uk-lon' : 'eu-de';
    return new Worker({ ...parts, residency }, `w${index}`, options.seed);
  });
  const mover = new Mover({ ...parts, residency: 'eu-de' }, 'uk-lon');
  const switcher = new Switcher({ ...parts, tenant: other, residency: 'eu-de' });
  let isStopping = false;
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined); // whoever waits for the end is told as well
  const loop = async (one: { step(): Promise<void> }): Promise<void> => {
    try {
      while (!isStopping) await one.step();
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  const running = Promise.allSettled([...workers, mover, switcher].map(loop));
  const tally = (): Tally => ({ done: done.toObject(), answers: answers.toObject() });
  return {
    failed,
    tally,
    async finish() {
      isStopping = true;
      const outcomes = await running;
      try {
        for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
        const kept = await Promise.all(workers.map((worker) => worker.verify()));
        await mover.verify();
        for (let index = kept.reduce((sum, one) => sum + one, 0); index > 0; index -= 1) {
          done.add('acknowledged records kept');
        }
        return tally();
      } finally {
        for (const one of [...workers, mover, switcher]) one.close();
      }
    },
  };
}
