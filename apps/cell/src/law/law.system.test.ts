// SPDX-License-Identifier: Apache-2.0
// Goal: a control plane in the wrong hands can widen nothing and roll nothing back, and its absence closes
// borders only. Method: a whole cell; bundles signed by the right key, a wrong key, the right people and
// too few of them; then the cell is stopped and its law brought back from its state directory.
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FRESHNESS_PAYLOAD_TYPE } from '@bailiwick/contracts';
import { type Json, parseCellId, toCanonicalJson } from '@bailiwick/kernel';
import { signDsse, toDsseSigner, toPublicKeyText } from '@bailiwick/keys';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  approve,
  type BundleOverrides,
  newTenant,
  RETAILER_CHARTER,
  startTestCell,
  type TestAccount,
  type TestCell,
} from '../testing/test-cell.ts';
import { createLaw } from './law.ts';
import { createLawStore } from './law-store.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const hashOf = (value: unknown): string => sha256(toCanonicalJson(value as Json));
const newSigner = () => toDsseSigner(generateKeyPairSync('ed25519').privateKey);

/** Support from Indian and Philippine offices without a mechanism: clearly more than before. */
const WIDER = RETAILER_CHARTER.replace('    mechanism: [scc, bcr]\n', '');
/** Figures about eleven instead of ten: less than before. */
const NARROWER = RETAILER_CHARTER.replaceAll('minimumCount: 10', 'minimumCount: 11');
const OTHER_HOME = RETAILER_CHARTER.replace(/( {2}nz:\n {4}cell: )au-syd\/main/, '$1us-va/main');

const tenant = newTenant();
let test: TestCell;
let shop: TestAccount;

beforeAll(async () => {
  expect(new Set([RETAILER_CHARTER, WIDER, NARROWER, OTHER_HOME]).size).toBe(4);
  test = await startTestCell({ isLawless: true });
});
afterAll(() => test?.stop());

const reasonOf = async (overrides: BundleOverrides): Promise<unknown> => {
  const before = test.cell.runtime.law.serial();
  try {
    await test.cell.runtime.law.take(test.signBundle(overrides));
  } catch (error) {
    expect(error).toMatchObject({ code: 'LAW_BUNDLE_REFUSED' });
    expect(test.cell.runtime.law.serial()).toBe(before);
    return (error as { details: { reason: unknown } }).details.reason;
  }
  throw new Error('expected the bundle to be refused');
};

describe('before the first bundle', () => {
  it('serves nobody and says so', async () => {
    const health = await test.call({ path: '/v1/health' });
    expect(health).toMatchObject({ status: 503, body: { isServing: false } });
    expect(() => test.cell.runtime.law.current()).toThrowError(
      expect.objectContaining({ code: 'LAW_CHARTER_ABSENT' }),
    );
    expect(test.cell.runtime.law.isFresh()).toBe(false);
  });

  it('takes no first charter that two people have not approved', async () => {
    const [first] = test.approvers;
    expect(await reasonOf({ charterApprovers: [] })).toBe('unapproved-charter');
    expect(await reasonOf({ charterApprovers: first ? [first] : [] })).toBe('unapproved-charter');
    expect(await reasonOf({ charterApprovers: first ? [first, first] : [] })).toBe(
      'unapproved-charter',
    );
    expect(await reasonOf({ charterApprovers: [newSigner(), newSigner()] })).toBe(
      'unapproved-charter',
    );
    await test.deliver({ tenants: [tenant] });
    shop = await test.addAccount(tenant.tenantId);
    expect(test.cell.runtime.law.serial()).toBe(1);
  });
});

describe('a bundle that is not for this cell, now', () => {
  it.each<[string, BundleOverrides, string]>([
    ['signed by another key', { signer: newSigner() }, 'signature'],
    ['for another cell', { cell: parseCellId('us-va') }, 'other-cell'],
    ['with the serial in force', { serial: 1 }, 'older-serial'],
    ['with an older charter serial', { charterSerial: 0, charterText: NARROWER }, 'shape'],
    ['with a charter that does not compile', { charterText: 'charter: 1\n' }, 'charter'],
  ])('is refused: %s', async (_what, overrides, reason) => {
    expect(await reasonOf(overrides)).toBe(reason);
  });

  it('is refused with a hash that is not the charter’s, and with one byte changed', async () => {
    const envelope = test.signBundle();
    const payload = Buffer.from(envelope.payload, 'base64').toString();
    const other = payload.replace(/"textHash":"."/, '"textHash":"0"');
    const changed = {
      ...envelope,
      payload: Buffer.from(payload.replace('eu-de', 'eu-fr')).toString('base64'),
    };
    await expect(test.cell.runtime.law.take(changed)).rejects.toMatchObject({
      details: { reason: 'signature' },
    });
    expect(other).toBe(payload);
    const [key] = payload.match(/"textHash":"[0-9a-f]{64}"/) ?? [''];
    const forged = payload.replace(key, `"textHash":"${'0'.repeat(64)}"`);
    const signed = signDsse({ payloadType: envelope.payloadType, payload: Buffer.from(forged) }, [
      test.controlSigner,
    ]);
    await expect(test.cell.runtime.law.take(signed)).rejects.toMatchObject({
      details: { reason: 'hash' },
    });
  });
});

describe('a bundle that widens', () => {
  it('takes a narrower charter without anybody’s approval', async () => {
    await test.deliver({ charterText: NARROWER, charterApprovers: [] });
    expect(test.cell.runtime.law.current().charter.hash).toBeTruthy();
  });

  it('takes no wider charter, no other home and no longer freshness without two approvals', async () => {
    expect(await reasonOf({ charterText: WIDER, charterApprovers: [] })).toBe('unapproved-charter');
    expect(await reasonOf({ charterText: OTHER_HOME, charterApprovers: [] })).toBe(
      'unapproved-charter',
    );
    expect(await reasonOf({ freshForMs: 120_000, charterApprovers: [] })).toBe(
      'unapproved-charter',
    );
  });

  it('takes no approval of an earlier serial: an old, wider charter does not come back', async () => {
    // Approved once, as serial 1.
    const old = approve(
      { subject: 'charter', serial: 1, hash: sha256(RETAILER_CHARTER) },
      test.approvers,
    );
    const back = { charterText: RETAILER_CHARTER, charterApprovers: [], approvals: [old] };
    expect(await reasonOf(back)).toBe('unapproved-charter');
    expect(await reasonOf({ ...back, charterSerial: 1 })).toBe('older-serial');
    await test.deliver({ charterText: RETAILER_CHARTER });
  });

  it('takes wider terms and a moved home of a tenant only with approvals of these terms', async () => {
    const narrow = { terms: 1, version: 1, purposes: ['order-fulfilment'] };
    await test.deliver({ tenants: [{ ...tenant, terms: narrow, termsSerial: 2 }] });
    const wide = { terms: 1, version: 2, purposes: ['order-fulfilment', 'analytics'] };
    const wider = { ...tenant, terms: wide, termsSerial: 3 };
    expect(await reasonOf({ tenants: [wider] })).toBe('unapproved-terms');
    expect(await reasonOf({ tenants: [{ ...wider, termsSerial: 1 }] })).toBe('older-serial');
    const statement = { subject: 'terms', tenantId: tenant.tenantId, serial: 3 } as const;
    const ofOther = approve({ ...statement, hash: hashOf(narrow) }, test.approvers);
    expect(await reasonOf({ tenants: [wider], approvals: [ofOther] })).toBe('unapproved-terms');
    const approval = approve({ ...statement, hash: hashOf(wide) }, test.approvers);
    await test.deliver({ tenants: [wider], approvals: [approval] });
    const moved = { ...wider, homes: { 'eu-de': 'uk-lon/main' } };
    expect(await reasonOf({ tenants: [moved] })).toBe('unapproved-homes');
  });
});

describe('freshness', () => {
  const sign = (change: object, signer = test.controlSigner) => {
    const { law } = test.cell.runtime;
    const statement = {
      v: 1,
      cell: 'eu-de/main',
      serial: law.serial(),
      nonce: 'a'.repeat(24),
      issuedAt: '2026-11-20T00:00:00.000Z',
      validForMs: 60_000,
      ...change,
    };
    return signDsse(
      { payloadType: FRESHNESS_PAYLOAD_TYPE, payload: Buffer.from(JSON.stringify(statement)) },
      [signer],
    );
  };
  const refresh = (envelope: unknown, askedAtMs = test.cell.runtime.clock.monotonicMs()) =>
    test.cell.runtime.law.refresh(envelope, { nonce: 'a'.repeat(24), askedAtMs });

  it('is not given by a new bundle, nor by a statement for another cell, serial, nonce or key', async () => {
    await test.deliver();
    for (const [envelope, code] of [
      [sign({ cell: 'us-va/main' }), 'LAW_BUNDLE_REFUSED'],
      [sign({ serial: test.cell.runtime.law.serial() - 1 }), 'LAW_BUNDLE_REFUSED'],
      [sign({ nonce: 'b'.repeat(24) }), 'LAW_BUNDLE_REFUSED'],
      [sign({}, newSigner()), 'KEYS_DSSE_UNTRUSTED'],
    ] as const) {
      expect(() => refresh(envelope)).toThrowError(expect.objectContaining({ code }));
      expect(test.cell.runtime.law.isFresh()).toBe(false);
    }
  });

  it('counts from before the question, and no longer than the bundle allows', () => {
    const { clock, law } = test.cell.runtime;
    refresh(sign({}), clock.monotonicMs() - 60_001);
    expect(law.isFresh()).toBe(false);
    refresh(sign({ validForMs: 3_600_000 }), clock.monotonicMs() - 60_001);
    expect(law.isFresh()).toBe(false);
    refresh(sign({}));
    expect(law.isFresh()).toBe(true);
  });

  it('closes borders once it has run out, and local flows go on', async () => {
    await test.deliver();
    const flow = {
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
        categories: ['contact'],
        regimes: ['gdpr'],
        origin: 'de',
        residency: 'eu-de',
      },
      form: 'plain',
      to: { kind: 'reader', location: 'de', operator: 'de' },
      purpose: 'order-fulfilment',
    };
    const abroad = {
      ...flow,
      actor: { ...flow.actor, place: 'fr' },
      to: { kind: 'reader', location: 'fr', operator: 'fr' },
    };
    const ask = async () =>
      (
        await test.call({
          method: 'POST',
          path: '/v1/decisions',
          as: shop,
          body: { flows: [flow, abroad] },
        })
      ).body.items;
    const stale = await ask();
    expect(stale[0].outcome).toBe('allow');
    expect(stale[1]).toMatchObject({ outcome: 'deny', cause: 'charter-stale' });
    test.refresh();
    expect((await ask())[1].cause).not.toBe('charter-stale');
  });
});

describe('after a restart', () => {
  const reopen = () => {
    const { config, clock } = test.cell.runtime;
    const trust = {
      cellId: config.cell,
      bundleKeys: [{ keyId: 'pinned', publicKey: test.cell.runtime.secrets.verificationKey }],
      approvers: [],
      threshold: 2,
    };
    return createLaw({ clock, store: createLawStore(config.state) }, trust);
  };

  it('holds to the last good bundle without asking anybody, and is not fresh', async () => {
    const law = reopen();
    expect(await law.restore()).toBe(true);
    expect(law.serial()).toBe(test.cell.runtime.law.serial());
    expect(law.current().hash).toBe(test.cell.runtime.law.current().hash);
    expect(law.isFresh()).toBe(false);
    expect(law.current().findTenant(tenant.tenantId)?.termsSerial).toBe(3);
  });

  it('refuses a stored bundle that was changed, and one that is damaged', async () => {
    const file = path.join(test.cell.runtime.config.state, 'law.json');
    expect(existsSync(file)).toBe(true);
    const good = readFileSync(file, 'utf8');
    const stored = JSON.parse(good);
    const payload = Buffer.from(stored.envelope.payload, 'base64')
      .toString()
      .replace('eu-de', 'eu-fr');
    stored.envelope.payload = Buffer.from(payload).toString('base64');
    writeFileSync(file, JSON.stringify(stored));
    await expect(reopen().restore()).rejects.toMatchObject({ details: { reason: 'signature' } });
    writeFileSync(file, good.slice(0, 100));
    await expect(reopen().restore()).rejects.toMatchObject({ code: 'CELL_STATE_MISSING' });
    writeFileSync(file, good);
  });
});

describe('the record of the law', () => {
  it('has an entry for each bundle that came into force, with who approved it', async () => {
    const rows = await test.database.asOwner<{ body: string }>('SELECT body FROM ledger.entries');
    const bundles = rows
      .map(({ body }) => JSON.parse(body))
      .filter(({ kind }) => kind === 'bundle');
    expect(bundles).toHaveLength(test.cell.runtime.law.serial());
    expect(bundles[0].facts.approvedBy).toHaveLength(2);
    expect(bundles[0].tenant).toBeUndefined();
  });
});

// Last: from here on the control plane has another key.
describe('a change of trust', () => {
  it('needs approvals of exactly these keys; then the new key alone counts', async () => {
    const next = newSigner();
    const bundleKeys = [toPublicKeyText(next.privateKey)];
    expect(await reasonOf({ bundleKeys })).toBe('older-serial');
    expect(await reasonOf({ bundleKeys, trustSerial: 2 })).toBe('unapproved-trust');
    const approval = approve(
      { subject: 'trust', serial: 2, hash: hashOf(bundleKeys) },
      test.approvers,
    );
    const others = { bundleKeys: [...bundleKeys, toPublicKeyText(newSigner().privateKey)] };
    expect(await reasonOf({ ...others, trustSerial: 2, approvals: [approval] })).toBe(
      'unapproved-trust',
    );
    await test.deliver({ bundleKeys, trustSerial: 2, approvals: [approval] });
    const after = { bundleKeys, trustSerial: 2 };
    expect(await reasonOf(after)).toBe('signature');
    await test.deliver({ ...after, signer: next });
    const law = createLaw(
      {
        clock: test.cell.runtime.clock,
        store: createLawStore(test.cell.runtime.config.state),
      },
      { cellId: parseCellId('eu-de'), bundleKeys: [], approvers: [], threshold: 2 },
    );
    expect(await law.restore()).toBe(true);
  });
});
