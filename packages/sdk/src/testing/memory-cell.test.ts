// SPDX-License-Identifier: Apache-2.0
// Goal: what passes against a cell in memory is asked rightly, and what fails closed there fails closed.
import type { CollectionSchema, Where } from '@bailiwick/contracts';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../answer.ts';
import { createMemoryCell } from './memory-cell.ts';

const CUSTOMERS: CollectionSchema = {
  fieldSets: {
    contact: {
      class: 'restricted',
      category: 'contact',
      purpose: 'order-fulfilment',
      subject: 'record',
      protection: 'sealed',
    },
    market: {
      class: 'operational',
      category: 'technical',
      purpose: 'operations',
      subject: 'none',
      protection: 'plain',
    },
  },
  fields: {
    name: { fieldSet: 'contact', type: 'text', required: true },
    email: { fieldSet: 'contact', type: 'text', index: 'email' },
    country: { fieldSet: 'market', type: 'text', required: true },
  },
};

const make = (): ReturnType<typeof createMemoryCell> =>
  createMemoryCell({ collections: { customers: CUSTOMERS } });
const KAETHE = {
  id: '1',
  subject: 'p1',
  origin: 'de',
  fields: { name: 'Käthe', email: 'k@post.example', country: 'de' },
};

describe('a cell in memory', () => {
  it('keeps, finds, changes and deletes records as a cell does', async () => {
    const customers = make().collection('customers');
    const made = unwrap(await customers.create(KAETHE));
    expect(made).toMatchObject({ version: 1, fields: KAETHE.fields });
    const found = unwrap(await customers.search({ where: { email: { eq: 'k@post.example' } } }));
    expect(found.items.map(({ recordId }) => recordId)).toEqual([made.recordId]);
    const changed = await customers.update(made.recordId, { version: 1, fields: { name: 'K.' } });
    expect(unwrap(changed).version).toBe(2);
    const late = await customers.update(made.recordId, { version: 1, fields: { name: 'x' } });
    expect(late).toMatchObject({ ok: false, problem: { status: 412 } });
    unwrap(await customers.delete(made.recordId, { version: 2 }));
    expect(await customers.get(made.recordId)).toMatchObject({ problem: { status: 404 } });
  });

  it('imports once, however often', async () => {
    const customers = make().collection('customers');
    const lines = `${JSON.stringify(KAETHE)}\nnonsense\n${JSON.stringify({ ...KAETHE, id: '2', fields: {} })}\n`;
    expect(unwrap(await customers.import(lines))).toMatchObject({ accepted: 1, refusedCount: 2 });
    expect(unwrap(await customers.import(lines))).toMatchObject({ accepted: 0, unchanged: 1 });
    expect(unwrap(await customers.count(undefined)).count).toBe(1);
  });

  it('really seals: no value is in the text, and any changed byte is refused', async () => {
    const cell = make();
    const { id, subject = '', origin, fields } = KAETHE;
    const { name, email } = fields;
    const [item] = unwrap(
      await cell.seal([
        {
          collection: 'customers',
          fieldSet: 'contact',
          record: id,
          subject,
          origin,
          fields: { name, email },
          indexes: [{ field: 'email' }],
        },
      ]),
    ).items;
    if (item === undefined || 'problem' in item) throw new Error('not sealed');
    const bytes = Buffer.from(item.sealed.slice(5), 'base64url');
    expect(bytes.toString('latin1')).not.toContain('post.example');
    expect(unwrap(await cell.open([{ sealed: item.sealed }])).items[0]).toEqual({
      fields: { name, email },
    });
    for (let at = 0; at < bytes.length; at += 5) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const [opened] = unwrap(
        await cell.open([{ sealed: `bwm1.${changed.toString('base64url')}` }]),
      ).items;
      expect(opened).toHaveProperty('problem');
    }
    const { index } = unwrap(
      await cell.blindIndex({ collection: 'customers', field: 'email', value: 'K@Post.Example' }),
    );
    expect(index).toBe(item.indexes['email']);
  });

  it('forgets a person for good', async () => {
    const cell = make();
    const made = unwrap(await cell.collection('customers').create(KAETHE));
    unwrap(await cell.erasures.create('p1'));
    const left = unwrap(await cell.collection('customers').get(made.recordId));
    expect(left).toMatchObject({ fields: { country: 'de' }, erased: ['contact'] });
    expect(JSON.stringify(left)).not.toContain('Käthe');
  });

  it('fails closed while the key is off', async () => {
    const cell = make();
    const [key] = unwrap(await cell.keys.list()).items;
    unwrap(await cell.keys.disable(key?.keyId ?? ''));
    for (const answer of [
      await cell.collection('customers').create(KAETHE),
      await cell.collection('customers').search({}),
      await cell.open([]),
    ]) {
      expect(answer).toMatchObject({
        problem: { status: 423, code: 'KEYS_CUSTOMER_KEY_DISABLED' },
      });
    }
    unwrap(await cell.keys.enable(key?.keyId ?? ''));
    expect((await cell.collection('customers').create(KAETHE)).ok).toBe(true);
  });

  it('denies what nobody has decided', async () => {
    const flow = {
      actor: { kind: 'workload', role: 'r', employer: 'e', assurance: 'high', place: 'de' },
      action: 'read',
      data: { class: 'public', categories: [], regimes: [], origin: 'de', residency: 'eu-de' },
      form: 'plain',
      to: { kind: 'reader', location: 'de', operator: 'de' },
      purpose: 'p',
    } as const;
    expect(unwrap(await make().decide([flow])).items[0]).toMatchObject({ outcome: 'deny' });
  });

  it.each<[Where, string]>([
    [{ name: { eq: 'Käthe' } }, 'a sealed field without an index'],
    [{ email: { lt: 'x' } }, 'a range over a sealed field'],
    [{ absent: { eq: 1 } }, 'a field that is not there'],
  ])('refuses a search by %j: %s', async (where) => {
    expect(await make().collection('customers').search({ where })).toMatchObject({
      problem: { status: 400 },
    });
  });

  it('has no transfers and says so', async () => {
    const answer = await make().transfers.get('x');
    expect(answer).toMatchObject({ problem: { status: 404 } });
  });
});
