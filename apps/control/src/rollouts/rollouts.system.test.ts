// SPDX-License-Identifier: Apache-2.0
// Goal: a charter comes out step by step, stops by itself, and no serial that a candidate had is ever used
// for anything else. Method: a real control plane; bundles read as each cell would; reports as cells send them.
import { createHash, generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { APPROVAL_PAYLOAD_TYPE, type RolloutReport } from '@bailiwick/contracts';
import { type DsseEnvelope, signDsse, toDsseSigner } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestControl, type TestControl, type TestReply } from '../testing.ts';

const LAW = readFileSync(
  path.resolve(import.meta.dirname, '../../../../charters/retailer.yaml'),
  'utf8',
);
const NEXT = LAW.replace('actor: { role: analyst }', 'actor: { role: auditor }');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const approver = toDsseSigner(generateKeyPairSync('ed25519').privateKey);

let control: TestControl;
beforeAll(async () => {
  control = await startTestControl();
  expect(NEXT).not.toBe(LAW);
});
afterAll(() => control?.stop());

const ann = (method: string, url: string, body?: unknown): Promise<TestReply> =>
  control.call('operator/ann', method, url, body, { 'idempotency-key': randomUUID() });
const nextSerial = async (): Promise<number> => (await ann('GET', '/v1/charter')).body.nextSerial;
const approve = (serial: number, text: string): DsseEnvelope =>
  signDsse(
    {
      payloadType: APPROVAL_PAYLOAD_TYPE,
      payload: Buffer.from(
        JSON.stringify({ v: 1, subject: 'charter', serial, hash: sha256(text) }),
      ),
    },
    [approver],
  );
const start = async (change: object = {}): Promise<TestReply> =>
  ann('POST', '/v1/rollouts', {
    text: NEXT,
    serial: await nextSerial(),
    firstCell: 'eu-de/main',
    ...change,
  });
const step = (
  rolloutId: string,
  to: string,
  approvals: readonly unknown[] = [],
): Promise<TestReply> => ann('POST', `/v1/rollouts/${rolloutId}/steps`, { to, approvals });
const aReport = (change: Partial<RolloutReport>): RolloutReport => ({
  v: 1,
  serial: 1,
  replica: '01890a5d-ac96-774b-bcce-b302099a8057',
  decided: 10,
  stricter: 0,
  looser: 0,
  errors: 0,
  latencyMicros: 100,
  latencyMicrosMax: 20,
  kinds: [],
  ...change,
});
const tell = (cell: string, change: Partial<RolloutReport>): Promise<TestReply> =>
  control.call(`cell/${cell}`, 'POST', '/v1/rollout-reports', aReport(change));

describe('a rollout', () => {
  it('needs a law to begin from', async () => {
    expect((await start()).body.code).toBe('CONTROL_CHARTER_ABSENT');
    expect((await ann('PUT', '/v1/charter', { text: LAW, serial: 1 })).status).toBe(200);
  });

  it.each([
    ['another serial than the next', { serial: 7 }, 'CONTROL_SERIAL_CONFLICT'],
    ['a cell that is not there', { firstCell: 'au-syd/main' }, 'CONTROL_CELL_UNKNOWN'],
    ['a charter that does not compile', { text: 'charter: 1\n' }, 'CONTROL_CHARTER_INVALID'],
    [
      'a person in the text',
      { text: `${NEXT}\n# jane@example.com` },
      'CONTROL_PERSONAL_DATA_REFUSED',
    ],
    ['no share at all', { shareBasisPoints: 0 }, 'CONTROL_INPUT_INVALID'],
    ['an unknown limit', { limits: { patience: 1 } }, 'CONTROL_INPUT_INVALID'],
    ['an approval of another text', { approvals: [approve(2, LAW)] }, 'CONTROL_APPROVAL_INVALID'],
    [
      'a way back for another serial',
      { returnApprovals: [approve(2, LAW)] },
      'CONTROL_APPROVAL_INVALID',
    ],
  ])('is refused with %s', async (_what, change, code) => {
    expect((await start(change)).body.code).toBe(code);
    expect((await ann('GET', '/v1/rollouts')).body.items).toEqual([]);
  });

  it('may be begun and watched by operators only, and reported on by cells only', async () => {
    const body = { text: NEXT, serial: 2, firstCell: 'eu-de/main' };
    const headers = { 'idempotency-key': randomUUID() };
    for (const who of ['cell/eu-de/main', 'router']) {
      expect((await control.call(who, 'POST', '/v1/rollouts', body, headers)).status).toBe(403);
      expect((await control.call(who, 'GET', '/v1/rollouts')).status).toBe(403);
    }
    expect((await ann('POST', '/v1/rollout-reports', aReport({}))).status).toBe(403);
  });
});

describe('step by step', () => {
  let rolloutId: string;

  it('stands beside the law in its first cell, five per cent by default, and nowhere else', async () => {
    const { status, body } = await start();
    expect([status, body.phase, body.serial]).toEqual([201, 'canary', 2]);
    rolloutId = body.rolloutId;
    const [first, other] = [
      await control.bundleOf('eu-de/main'),
      await control.bundleOf('us-va/main'),
    ];
    expect(first.charter).toMatchObject({ serial: 1, text: LAW });
    expect(first.candidate).toMatchObject({ serial: 2, text: NEXT, shareBasisPoints: 500 });
    expect(other.charter.serial).toBe(1);
    expect(other.candidate).toBeUndefined();
  });

  it('lets no other charter and no other rollout pass meanwhile', async () => {
    expect((await start()).body.code).toBe('CONTROL_ROLLOUT_CONFLICT');
    const put = await ann('PUT', '/v1/charter', { text: LAW, serial: 3 });
    expect(put.body.code).toBe('CONTROL_ROLLOUT_CONFLICT');
  });

  it('sums what cells count; what is told twice counts once', async () => {
    const kinds = [
      {
        change: 'stricter',
        action: 'read',
        class: 'restricted',
        before: ['a'],
        after: [],
        count: 1,
      },
    ] as const;
    for (const decided of [10, 200]) {
      expect((await tell('eu-de/main', { serial: 2, decided, stricter: 1, kinds })).status).toBe(
        204,
      );
    }
    await tell('eu-de/main', { serial: 2, replica: randomUUID(), decided: 50, stricter: 1, kinds });
    const { body } = await ann('GET', `/v1/rollouts/${rolloutId}`);
    expect(body.figures).toMatchObject({ decided: 250, stricter: 2, latencyMicrosMax: 20 });
    expect(body.figures.kinds).toEqual([{ ...kinds[0], count: 2 }]);
    expect(body.cells.map(({ cell }: { cell: string }) => cell)).toEqual(['eu-de/main']);
  });

  it.each([
    ['a rule that is no name', { kinds: [{ before: ['Jane Doe'] }] }],
    ['an unknown field', { comment: 'x' }],
    ['a count below zero', { decided: -1 }],
  ])('takes no report with %s', async (_what, change) => {
    const { status } = await control.call('cell/eu-de/main', 'POST', '/v1/rollout-reports', {
      ...aReport({ serial: 2 }),
      ...change,
    });
    expect(status).toBe(400);
  });

  it('goes on to all cells, to be law in the first, and to be law everywhere', async () => {
    expect((await step(rolloutId, 'canary-everywhere')).body.phase).toBe('canary-everywhere');
    expect((await control.bundleOf('us-va/main')).candidate?.serial).toBe(2);
    const approval = approve(2, NEXT);
    expect((await step(rolloutId, 'first-cell', [approve(2, LAW)])).body.code).toBe(
      'CONTROL_APPROVAL_INVALID',
    );
    expect((await step(rolloutId, 'first-cell', [approval])).status).toBe(201);
    const [first, other] = [
      await control.bundleOf('eu-de/main'),
      await control.bundleOf('us-va/main'),
    ];
    expect(first.charter).toMatchObject({ serial: 2, text: NEXT });
    expect(first.approvals).toEqual([approval]);
    expect([first.candidate, other.candidate, other.charter.serial]).toEqual([
      undefined,
      undefined,
      1,
    ]);
    expect((await step(rolloutId, 'canary-everywhere')).body.code).toBe('CONTROL_ROLLOUT_CONFLICT');
    expect((await step(rolloutId, 'promoted')).body).toMatchObject({ phase: 'promoted' });
    expect((await control.bundleOf('us-va/main')).charter).toMatchObject({ serial: 2, text: NEXT });
    expect((await step(rolloutId, 'promoted')).body.code).toBe('CONTROL_ROLLOUT_CONFLICT');
  });

  it('goes back to the charter before, under a serial of its own', async () => {
    const { body } = await step(rolloutId, 'rolled-back');
    expect(body.phase).toBe('rolled-back');
    for (const cell of ['eu-de/main', 'us-va/main']) {
      expect((await control.bundleOf(cell)).charter).toMatchObject({ serial: 3, text: LAW });
    }
    expect((await step(rolloutId, 'rolled-back')).body.code).toBe('CONTROL_ROLLOUT_CONFLICT');
    expect((await step(randomUUID(), 'promoted')).body.code).toBe('CONTROL_ROLLOUT_UNKNOWN');
  });
});

describe('a rollout that stops by itself', () => {
  it.each([
    ['errors', { errors: 1 }],
    ['stricter', { decided: 200, stricter: 3 }],
    ['latency', { decided: 200, latencyMicros: 200_001 }],
    ['errors', { stoppedBy: 'errors' }],
  ] as const)(
    'by the limit of %s leaves the law under a new serial, and burns its own',
    async (by, change) => {
      const { body } = await start();
      await tell('eu-de/main', { serial: body.serial - 1, ...change });
      expect((await ann('GET', `/v1/rollouts/${body.rolloutId}`)).body.phase).toBe('canary');
      await tell('eu-de/main', { serial: body.serial, ...change });
      const after = (await ann('GET', `/v1/rollouts/${body.rolloutId}`)).body;
      expect([after.phase, after.stoppedBy]).toEqual(['stopped', by]);
      expect(after.endedAt).toBeTruthy();
      const bundle = await control.bundleOf('eu-de/main');
      expect(bundle.candidate).toBeUndefined();
      expect(bundle.charter).toMatchObject({ serial: body.serial + 1, text: LAW });
      expect(await nextSerial()).toBe(body.serial + 2);
    },
  );

  it('brings the approvals of the way back that were signed before it began', async () => {
    const serial = await nextSerial();
    const back = approve(serial + 1, LAW);
    const { body } = await start({ approvals: [approve(serial, NEXT)], returnApprovals: [back] });
    await step(body.rolloutId, 'promoted');
    await step(body.rolloutId, 'rolled-back');
    const bundle = await control.bundleOf('us-va/main');
    expect(bundle.charter).toMatchObject({ serial: serial + 1, text: LAW });
    expect(bundle.approvals).toEqual([back]);
  });
});

describe('a mechanism that is suspended while a charter is on its way', () => {
  it('is suspended in the candidate as well, which stays newer and goes on', async () => {
    const { body } = await start();
    const suspension = await ann('POST', '/v1/mechanism-suspensions', { mechanism: 'scc' });
    expect(suspension.status).toBe(201);
    const bundle = await control.bundleOf('eu-de/main');
    expect(bundle.charter.serial).toBe(body.serial + 1);
    expect(bundle.candidate?.serial).toBe(body.serial + 2);
    for (const text of [bundle.charter.text, bundle.candidate?.text]) {
      expect(text).toContain('suspendedFrom');
    }
    await step(body.rolloutId, 'promoted');
    const back = (await step(body.rolloutId, 'rolled-back')).body;
    expect(back.phase).toBe('rolled-back');
    // The way back does not lead to before the suspension.
    expect((await control.bundleOf('eu-de/main')).charter.text).toContain('suspendedFrom');
  });
});
