// SPDX-License-Identifier: Apache-2.0
// Goal: an operator brings charters into force, tries them, takes them back and suspends a mechanism, with
// the command and nothing else. Method: a
// demonstration of its own with its real processes; what cells answer is asked over their public doors.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { AssessmentAnswer } from '@bailiwick/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type Ended, ROOT, runBailiwick, toJson } from '../system/command.ts';
import { createPlace, type Demo, type Place, startDemo } from '../system/demo.ts';
import { waitUntil } from '../system/wait-until.ts';

const SMALL = ['--no-story', '--customers', '60', '--orders', '120'] as const;
/** In a cell it is a second from arrival (`apps/cell/src/law`); this is four cells, and asking each, on a busy machine. */
const EFFECTIVE_MS_MAX = 5_000;

let place: Place & { remove(): void };
let demo: Demo | undefined;
let law: string;

beforeAll(async () => {
  place = await createPlace();
  demo = await startDemo(place, SMALL);
  law = readFileSync(path.join(ROOT, 'charters/retailer.yaml'), 'utf8').replace(
    /^freshFor:.*$/m,
    'freshFor: 5s',
  );
});
afterAll(async () => {
  await demo?.interrupt();
  place?.remove();
});

const run = (...args: readonly string[]): Promise<Ended> =>
  runBailiwick(['--state', place.state, ...args]);
const json = async (...args: readonly string[]) => toJson(await run('--json', ...args));
const write = (name: string, text: string): string => {
  const file = path.join(place.state, name);
  writeFileSync(file, text);
  return file;
};
const flow = (change: object): string =>
  write(
    `flow-${JSON.stringify(change).length}.json`,
    JSON.stringify({
      actor: {
        kind: 'workload',
        role: 'analyst',
        employer: 'controller',
        assurance: 'high',
        place: 'de',
      },
      action: 'read',
      data: {
        class: 'restricted',
        categories: ['behavioural'],
        regimes: ['gdpr'],
        origin: 'de',
        residency: 'eu-de',
      },
      form: 'plain',
      to: { kind: 'reader', location: 'de', operator: 'de' },
      purpose: 'analytics',
      ...change,
    }),
  );
/** 0: allowed, 3: denied. */
const decide = async (change: object = {}): Promise<number | null> =>
  (await run('decide', 'eu-de', '--flow', flow(change))).code;

async function approve(
  file: string,
  name: string,
  more: readonly string[] = [],
): Promise<string[]> {
  const files: string[] = [];
  for (const approver of ['privacy-officer', 'security-officer']) {
    const output = path.join(place.state, `${name}-${approver}.json`);
    const key = path.join(place.state, 'approvers', `${approver}.pem`);
    const target = more.includes('--way-back') ? [] : [file];
    const ended = await run(
      ...['charter', 'approve', ...target, '--key-file', key, '--output', output, ...more],
    );
    expect(ended.code, ended.stderr).toBe(0);
    files.push(output);
  }
  return files;
}

/** Analysts may search and count and not read. */
function toStricter(): string {
  const rule = `  - forbid: analysts-read-nobody
    actor: { role: analyst }
    action: read
    data: { class: restricted }
    because: figures are enough until the new agreement is signed
    source: our contracts § 3

`;
  const text = law.replace(/^ {2}- allow: figures-of-the-machines$/m, (found) => rule + found);
  expect(text).not.toBe(law);
  return text;
}

interface Applied {
  readonly serial: number;
  readonly tookMs: number;
  readonly cells: readonly { readonly isTaken: boolean; readonly charterSerial: number }[];
}

describe('a charter that becomes law', () => {
  it('needs nobody where it only narrows, and comes into force in every cell', async () => {
    const file = write('narrower.yaml', toStricter());
    expect(await decide()).toBe(0);
    const dry = await run('charter', 'apply', file, '--dry-run');
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('needs no approvals')]);
    const applied = (await json('charter', 'apply', file, '--yes')) as unknown as Applied;
    expect(applied.cells).toHaveLength(4);
    expect(applied.cells.every(({ isTaken }) => isTaken)).toBe(true);
    expect(applied.tookMs).toBeLessThan(EFFECTIVE_MS_MAX);
    expect(await decide()).toBe(3);
    const again = await run('charter', 'apply', file, '--yes');
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('already law')]);
  });

  it('needs two people where it widens', async () => {
    const file = write('wider.yaml', law);
    const bare = await run('charter', 'apply', file, '--yes');
    expect([bare.code, bare.stderr]).toEqual([3, expect.stringContaining('needs approvals')]);
    const [first = '', second = ''] = await approve(file, 'wider');
    const applied = (await json(
      ...['charter', 'apply', file, '--yes', '--approval', first, second],
    )) as unknown as Applied;
    expect(applied.cells.every(({ isTaken }) => isTaken)).toBe(true);
    expect(await decide()).toBe(0);
  });

  it('is refused by every cell when one person signed, whatever the control plane says', async () => {
    const file = write('one.yaml', law.replace('    mechanism: [scc, bcr]\n', ''));
    const [first = ''] = await approve(file, 'one');
    const ended = await run('charter', 'apply', file, '--yes', '--wait', '2', '--approval', first);
    expect([ended.code, ended.stdout]).toEqual([
      5,
      expect.stringContaining('still holds to serial'),
    ]);
    const back = await run('charter', 'apply', write('back.yaml', law), '--yes');
    expect(back.code, back.stderr).toBe(0);
  });

  it('is refused with its line where it is wrong', async () => {
    const file = write('wrong.yaml', law.replace('cell: uk-lon/main', 'cell: uk-lom/main'));
    const ended = await run('charter', 'apply', file, '--yes');
    expect([ended.code, ended.stderr]).toEqual([1, expect.stringMatching(/wrong\.yaml:\d+:\d+: /)]);
  });
});

describe('a charter that is brought out', () => {
  it('decides beside the law in one cell, is counted, and stops by itself', async () => {
    const file = write('stricter.yaml', toStricter());
    const started = await run(
      ...['charter', 'rollout', 'start', file, '--first', 'eu-de', '--share', '100'],
      ...['--min-decisions', '0', '--max-stricter', '0'],
    );
    expect(started.code, started.stderr).toBe(0);
    await waitUntil('the candidate to decide', async () =>
      (await decide()) === 3 ? true : undefined,
    );
    const shown = await waitUntil('the rollout to stop', async () => {
      const { items } = (await json('charter', 'rollout', 'show')) as {
        items: readonly { phase: string; stoppedBy?: string; figures: object }[];
      };
      return items[0]?.phase === 'stopped' ? items[0] : undefined;
    });
    expect(shown).toMatchObject({
      stoppedBy: 'stricter',
      figures: { stricter: 1, kinds: [{ change: 'stricter', after: ['analysts-read-nobody'] }] },
    });
    expect(await decide()).toBe(0);
  });

  it('is law in the first cell, then everywhere, and goes back', async () => {
    const file = write('stricter.yaml', toStricter());
    const [first = '', second = ''] = await approve(file, 'return', ['--way-back']);
    const started = await run(
      ...['charter', 'rollout', 'start', file, '--first', 'eu-de', '--way-back', first, second],
    );
    expect(started.code, started.stderr).toBe(0);
    const one = (await json(
      'charter',
      'rollout',
      'advance',
      '--to',
      'first-cell',
      '--yes',
    )) as unknown as Applied;
    expect(one.cells).toMatchObject([{ cell: 'eu-de/main', isTaken: true }]);
    expect(await decide()).toBe(3);
    const all = (await json('charter', 'rollout', 'advance', '--yes')) as unknown as Applied;
    expect(all.cells.every(({ isTaken }) => isTaken)).toBe(true);
    const back = (await json('charter', 'rollout', 'back', '--yes')) as unknown as Applied;
    expect(back.cells).toHaveLength(4);
    expect(back.cells.every(({ isTaken }) => isTaken)).toBe(true);
    expect(back.tookMs).toBeLessThan(EFFECTIVE_MS_MAX);
    expect(await decide()).toBe(0);
    const twice = await run('charter', 'rollout', 'back', '--yes');
    expect([twice.code, twice.stderr]).toEqual([
      1,
      expect.stringContaining('CONTROL_ROLLOUT_CONFLICT'),
    ]);
  });
});

describe('contract terms', () => {
  const at = (name: string): string => path.join(place.state, name);
  const EXPORT = {
    actor: {
      kind: 'workload',
      role: 'shop-service',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    action: 'export',
    purpose: 'legal-obligation',
  };

  it('are drafted, signed by both sides, proved to narrow, and hold in the cells', async () => {
    const { items } = (await json('tenant', 'show', 'retailer')) as {
      items: readonly { terms: object }[];
    };
    // What is there stays: without its identity provider the terms would be other and not narrower.
    const terms = write(
      'terms.yaml',
      stringify({
        ...items[0]?.terms,
        forbid: [
          {
            forbid: 'no-exports',
            action: 'export',
            purpose: 'legal-obligation',
            because: 'agreed',
            source: '§ 7',
          },
        ],
      }),
    );
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    write('customer.pem', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
    write('customer.pub', String(publicKey.export({ type: 'spki', format: 'pem' })));
    const provider = path.join(place.state, 'approvers', 'privacy-officer.pem');
    const { tenants } = parse(readFileSync(at('client.yaml'), 'utf8')) as {
      tenants: Readonly<Record<string, { id: string }>>;
    };
    const tenantId = tenants['retailer']?.id ?? '';
    const commands = [
      [
        'draft',
        terms,
        '--tenant-id',
        tenantId,
        '--provider',
        provider,
        '--customer',
        at('customer.pub'),
        '--output',
        at('draft.json'),
      ],
      ['sign', at('draft.json'), '--key-file', provider, '--output', at('half.json')],
      [
        'countersign',
        at('half.json'),
        '--key-file',
        at('customer.pem'),
        '--output',
        at('whole.json'),
      ],
    ];
    for (const command of commands) {
      const ended = await run('terms', ...command);
      expect(ended.code, ended.stderr).toBe(0);
    }
    expect((await run('terms', 'check', at('half.json'))).code).toBe(4);
    expect((await run('terms', 'apply', at('half.json'), '--yes')).code).toBe(3);
    const checked = await run(
      'terms',
      'check',
      at('whole.json'),
      '--charter',
      write('law.yaml', law),
    );
    expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining('they narrow')]);
    expect(checked.stdout).toContain('[terms.no-exports]');
    expect(await decide(EXPORT)).toBe(0);
    const applied = await run('terms', 'apply', at('whole.json'), '--yes');
    expect(applied.code, applied.stderr).toBe(0);
    await waitUntil(
      'the terms to hold',
      async () => ((await decide(EXPORT)) === 3 ? true : undefined),
      { timeoutMs: 90_000 },
    );
  });

  it('are refused with a stranger’s key, and when a byte was changed', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const stranger = write(
      'stranger.pem',
      String(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    );
    const signed = await run(
      'terms',
      'sign',
      at('draft.json'),
      '--key-file',
      stranger,
      '--output',
      at('no.json'),
    );
    expect([signed.code, signed.stderr]).toEqual([1, expect.stringContaining('another key')]);
    const whole = JSON.parse(readFileSync(at('whole.json'), 'utf8')) as { payload: string };
    const text = Buffer.from(whole.payload, 'base64')
      .toString()
      .replace('no-exports', 'no-imports');
    const forged = write(
      'forged.json',
      JSON.stringify({ ...whole, payload: Buffer.from(text).toString('base64') }),
    );
    expect((await run('terms', 'check', forged)).code).toBe(4);
  });
});

describe('a charter that is compared', () => {
  it('is held against what running cells store, and what would heal it is drafted', async () => {
    const text = law.replace('regimes: [au-privacy]', 'regimes: [au-privacy, nz-privacy]');
    const [before, after] = [write('before.yaml', law), write('after.yaml', text)];
    const draft = path.join(place.state, 'healing.yaml');
    const asked = ['--cells', 'eu-de,au-syd', '--draft', draft] as const;
    const ended = await run('charter', 'diff', before, after, ...asked);
    expect([ended.code, ended.stderr]).toEqual([3, '']);
    expect(ended.stdout).toMatch(/eu-de\/main \(\d+ records looked at\)\n {2}nothing is touched/);
    expect(ended.stdout).toMatch(/\d+ records, restricted: regimes-changed \[homes\]/);
    const { healing, steps } = parse(readFileSync(draft, 'utf8')) as {
      healing: number;
      steps: readonly { cell: string; relabel?: object; records: number }[];
    };
    expect(healing).toBe(1);
    expect(steps.every(({ cell }) => cell === 'au-syd/main')).toBe(true);
    expect(steps[0]?.relabel).toMatchObject({
      origins: ['au'],
      regimes: ['au-privacy', 'nz-privacy'],
    });
    expect(steps[0]?.records).toBeGreaterThan(0);
    expect((await run('charter', 'diff', before, after, '--cells', 'moon')).code).toBe(2);
    expect((await run('charter', 'diff', before, after, '--draft', draft)).code).toBe(2);
  });
});

describe('a mechanism that is suspended', () => {
  const MAIL = {
    actor: {
      kind: 'workload',
      role: 'shop-service',
      employer: 'controller',
      assurance: 'high',
      place: 'de',
    },
    action: 'export',
    data: {
      class: 'restricted',
      categories: ['contact'],
      regimes: ['gdpr'],
      origin: 'de',
      residency: 'eu-de',
    },
    to: { kind: 'provider', id: 'mail-platform', location: 'ie', operator: 'us' },
    purpose: 'order-fulfilment',
    mechanism: 'scc',
  };

  it('carries nothing any more, in any cell', async () => {
    expect(await decide(MAIL)).toBe(0);
    const dry = await run('charter', 'suspend', 'scc', '--dry-run');
    expect([dry.code, dry.stdout]).toEqual([0, expect.stringContaining('is not suspended')]);
    expect(await decide(MAIL)).toBe(0);
    const suspended = (await json('charter', 'suspend', 'scc', '--yes')) as unknown as Applied & {
      readonly touched: readonly AssessmentAnswer[];
    };
    const touched = suspended.touched.find(({ cell }) => cell === 'eu-de/main');
    const mail = touched?.flows.find(({ before }) => before.includes('mail-under-clauses'));
    expect(mail?.records).toBeGreaterThan(0);
    expect(mail?.tenants.length).toBeGreaterThan(0);
    expect(suspended.cells.every(({ isTaken }) => isTaken)).toBe(true);
    expect(suspended.tookMs).toBeLessThan(EFFECTIVE_MS_MAX);
    expect(await decide(MAIL)).toBe(3);
    expect(await decide()).toBe(0);
  });

  it('must be one of the charter', async () => {
    const ended = await run('charter', 'suspend', 'handshake', '--yes');
    expect([ended.code, ended.stderr]).toEqual([
      1,
      expect.stringContaining('CONTROL_MECHANISM_UNKNOWN'),
    ]);
  });
});
