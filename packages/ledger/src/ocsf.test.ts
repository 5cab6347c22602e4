// SPDX-License-Identifier: Apache-2.0
// Goal: every kind of entry becomes an event with what OCSF 1.8.0 requires of API Activity, and with nothing
// that the entry does not say. Method: the requirements as the schema's repository has them (tag 1.8.0,
// `events/base_event.json`, `events/application/api_activity.json` and the objects they name), written out.
import { describe, expect, it } from 'vitest';
import { ENTRY_KINDS, type EntryBody, type EntryKind } from './entry.ts';
import { toOcsfEvent } from './ocsf.ts';

type Fields = Readonly<Record<string, unknown>>;
const aBody = (kind: EntryKind, more: Partial<EntryBody> = {}): EntryBody => ({
  v: 1,
  id: '0198c0de-0000-7000-8000-000000000001' as never,
  at: '2026-11-20T08:00:00.123Z',
  cell: 'eu-de/main' as never,
  tenant: '0198c0de-0000-7000-8000-00000000000a' as never,
  kind,
  ...more,
});
const WHOLE: Partial<EntryBody> = {
  actor: {
    account: '0198c0de-0000-7000-8000-0000000000aa',
    kind: 'person',
    role: 'analyst',
    employer: 'controller',
    assurance: 'high',
    place: 'uk',
  },
  flow: {
    action: 'export',
    at: '2026-11-20T08:00:00.000Z',
    conditions: [],
    consent: 'absent',
    data: {
      categories: ['contact'],
      class: 'restricted',
      origin: 'de',
      regimes: ['gdpr'],
      residency: 'eu-de',
    },
    form: 'plain',
    mechanism: 'scc',
    purpose: 'analytics',
    to: { kind: 'provider', id: 'mail-platform', location: 'us-ca', operator: 'us' },
  },
  decision: {
    outcome: 'deny',
    rules: ['one', 'two'],
    obligations: [],
    charter: 'c'.repeat(64),
    serial: 3,
  },
  subject: 'ab'.repeat(16),
  records: { count: 2, hash: 'd'.repeat(64) },
  facts: { collection: 'customers', key: 'key-1' },
  request: '0198c0de-0000-7000-8000-0000000000ff',
};

const has = (value: unknown, names: readonly string[]): boolean =>
  names.some((name) => (value as Fields)[name] !== undefined);

function expectRequired(event: Fields): void {
  for (const name of ['activity_id', 'category_uid', 'class_uid', 'severity_id', 'type_uid']) {
    expect(event[name], name).toBeTypeOf('number');
  }
  expect(event['time']).toBe(Date.parse('2026-11-20T08:00:00.123Z'));
  expect([0, 1, 2, 3, 4, 99]).toContain(event['activity_id']);
  expect(event['type_uid']).toBe(Number(event['class_uid']) * 100 + Number(event['activity_id']));
  expect(event).toMatchObject({ category_uid: 6, class_uid: 6003 });
  const { metadata, actor, api, src_endpoint: source, resources = [] } = event;
  expect(metadata).toMatchObject({ version: '1.8.0', product: { name: expect.any(String) } });
  expect(has(actor, ['process', 'user', 'session', 'app_name', 'app_uid'])).toBe(true);
  expect((api as Fields)['operation']).toBeTypeOf('string');
  expect(has(source, ['ip', 'uid', 'name', 'hostname', 'svc_name', 'domain'])).toBe(true);
  for (const one of resources as readonly unknown[]) {
    expect(has(one, ['name', 'type', 'uid'])).toBe(true);
  }
}

describe('an entry as an event of OCSF', () => {
  it.each(ENTRY_KINDS)('has what is required for the kind %s', (kind) => {
    expectRequired(toOcsfEvent(aBody(kind)));
    expectRequired(toOcsfEvent(aBody(kind, WHOLE), { index: 7, leafHash: 'e'.repeat(64) }));
  });

  it('tells a denial with its rules', () => {
    expect(toOcsfEvent(aBody('decision', WHOLE), { index: 7 })).toMatchObject({
      action_id: 2,
      disposition_id: 2,
      status_id: 2,
      severity_id: 2,
      authorizations: [
        { decision: 'deny', policy: { uid: 'one', version: 'c'.repeat(64) } },
        { decision: 'deny', policy: { uid: 'two', version: 'c'.repeat(64) } },
      ],
      metadata: {
        sequence: 7,
        uid: '0198c0de-0000-7000-8000-000000000001',
        event_code: 'decision',
      },
      src_endpoint: { location: { country: 'GB' } },
      dst_endpoint: { name: 'mail-platform', location: { country: 'US' } },
      api: { operation: 'export', request: { uid: '0198c0de-0000-7000-8000-0000000000ff' } },
    });
  });

  it('tells no outcome where nothing was decided, and an allowed one as allowed', () => {
    const told = toOcsfEvent(aBody('key'));
    expect(told['action_id']).toBeUndefined();
    expect(told['authorizations']).toBeUndefined();
    const { decision } = WHOLE;
    if (decision === undefined) throw new Error('no decision');
    const allowed = toOcsfEvent(aBody('read', { decision: { ...decision, outcome: 'allow' } }));
    expect(allowed).toMatchObject({ action_id: 1, status_id: 1, severity_id: 1, activity_id: 2 });
  });

  it('says nothing that the entry does not say', () => {
    const text = JSON.stringify(toOcsfEvent(aBody('read')));
    for (const word of ['subject', 'records', 'unknown', 'null', 'undefined']) {
      expect(text).not.toContain(word);
    }
  });
});
