// SPDX-License-Identifier: Apache-2.0
// Goal: a cell's ledger that is rewritten, cut, forked or replayed with its database and its key in hand is
// caught by a witness that is not the attacker's and by a verifier with an earlier checkpoint; cells cosign
// each other within two seconds. Method: real cells, real PostgreSQL, mTLS between them, and a witness of
// our own that keeps its state in memory outside of the attacker's reach; the attacker is the table owner
// and has the cell's ledger key.
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  createCosigner,
  createLogSigner,
  createWitness,
  parseTlogPolicy,
  toServedTile,
  toVerifierKeyText,
  verifyCheckpoint,
  verifyExport,
  verifyWitnessed,
  type Witness,
  type WitnessedCheckpoint,
  writeExport,
} from '@bailiwick/ledger';
import { createAuthority } from '@bailiwick/pki';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { streamBodies } from '../ledger/index.ts';
import { newTenant, startTestCell, type TestCell } from '../testing/test-cell.ts';
import { TRUST_DOMAIN } from '../testing/test-config.ts';

const newKey = (): KeyObject => generateKeyPairSync('ed25519').privateKey;
const CELLS = ['eu-de', 'uk-lon', 'us-va'] as const;
type Place = (typeof CELLS)[number];
const tenant = newTenant();

interface Keys {
  readonly ledgerKey: KeyObject;
  readonly witnessKey: KeyObject;
  readonly log: string;
  readonly witness: string;
}

function makeKeys(place: Place): Keys {
  const [ledgerKey, witnessKey] = [newKey(), newKey()];
  const origin = `${place}/main/ledger/1`;
  return {
    ledgerKey,
    witnessKey,
    log: toVerifierKeyText(createLogSigner({ origin, privateKey: ledgerKey }).verifierKey),
    witness: toVerifierKeyText(
      createCosigner({ name: `${place}/main/witness`, privateKey: witnessKey }).verifierKey,
    ),
  };
}

const keys: Record<Place, Keys> = {
  'eu-de': makeKeys('eu-de'),
  'uk-lon': makeKeys('uk-lon'),
  'us-va': makeKeys('us-va'),
};

/** A witness of somebody else, over HTTP. */
interface Auditor {
  readonly witness: Witness;
  readonly server: Server;
  readonly kept: Map<string, WitnessedCheckpoint>;
  readonly evidence: string[];
  readonly key: string;
  readonly url: string;
}

async function startAuditor(log: string): Promise<Auditor> {
  const { parseVerifierKey } = await import('@bailiwick/ledger');
  const kept = new Map<string, WitnessedCheckpoint>();
  const evidence: string[] = [];
  const witness = createWitness({
    cosigner: createCosigner({ name: 'auditor.example/w1', privateKey: newKey() }),
    logs: [parseVerifierKey(log)],
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    store: {
      find: async (origin) => kept.get(origin),
      async advance(origin, next) {
        if ((kept.get(origin)?.version ?? 0) !== next.version - 1) return false;
        kept.set(origin, next);
        return true;
      },
    },
  });
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const answer = await witness.addCheckpoint(Buffer.concat(chunks));
    if (answer.evidence !== undefined) evidence.push(answer.evidence);
    response.writeHead(answer.status, { 'content-type': answer.contentType }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const key = toVerifierKeyText(witness.verifierKey);
  return { witness, server, kept, evidence, key, url: `http://127.0.0.1:${port}` };
}

describe('cells that witness each other', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'bailiwick-witnesses-'));
  const cells = new Map<Place, TestCell>();
  let auditor: Auditor;

  const cellOf = (place: Place): TestCell => {
    const found = cells.get(place);
    if (found === undefined) throw new Error(`no cell ${place}`);
    return found;
  };

  beforeAll(async () => {
    auditor = await startAuditor(keys['eu-de'].log);
    const authority = path.join(directory, 'ca');
    await createAuthority(authority, { trustDomain: TRUST_DOMAIN });
    for (const place of CELLS) {
      const others = CELLS.filter((one) => one !== place);
      const keyFile = path.join(directory, `${place}.witness.pem`);
      writeFileSync(keyFile, keys[place].witnessKey.export({ type: 'pkcs8', format: 'pem' }));
      const cell = await startTestCell({
        cell: `${place}/main`,
        authority,
        tenants: [tenant],
        ledgerKey: keys[place].ledgerKey,
        witnesses: {
          keyFile,
          logs: others.map((one) => keys[one].log),
          cosigners: [
            ...others.map((one) => ({ kind: 'cell', cell: `${one}/main`, key: keys[one].witness })),
            ...(place === 'eu-de'
              ? [{ kind: 'external', key: auditor.key, url: auditor.url }]
              : []),
          ],
          quorum: 2,
          intervalMs: 1000,
        },
      });
      cells.set(place, cell);
    }
    const peers: Record<string, { internalPort: number; signingKey: string }> = {};
    for (const place of CELLS) {
      const { cell } = cellOf(place);
      const { internalPort } = await cell.listen();
      peers[place] = { internalPort, signingKey: cell.runtime.secrets.publicKeyText };
    }
    for (const place of CELLS) await cellOf(place).deliver({ peers });
  });
  afterAll(async () => {
    for (const cell of cells.values()) await cell.stop();
    auditor.server.closeAllConnections();
    await new Promise((resolve) => auditor.server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  });

  const write = async (place: Place, count: number): Promise<void> => {
    const { entries } = cellOf(place).cell.ledger;
    const receipts = await Promise.all(
      Array.from({ length: count }, () => entries.record(tenant.tenantId, { kind: 'decision' })),
    );
    await entries.awaitCheckpoint(receipts.at(-1)?.entryId as never, { timeoutMs: 10_000 });
  };
  const policy = () =>
    parseTlogPolicy(
      [
        `log ${keys['eu-de'].log}`,
        `witness uk ${keys['uk-lon'].witness}`,
        `witness us ${keys['us-va'].witness}`,
        `witness auditor ${auditor.key}`,
        'group operator all uk us',
        'group both all operator auditor',
        'quorum both\n',
      ].join('\n'),
    );
  const exportOf = async (checkpoint: string): Promise<Map<string, Buffer>> => {
    const { cell } = cellOf('eu-de');
    const files = new Map<string, Buffer>();
    const { database } = cell.runtime;
    for await (const { path: name, bytes } of writeExport({
      checkpoint,
      tenant: tenant.tenantId,
      readTile: async (address) => {
        const tile = await cell.ledger.store.readTile(1, address);
        return tile && toServedTile(address, tile);
      },
      bodies: streamBodies(database, { tenantId: tenant.tenantId, epoch: 1, size: 1_000_000 }),
    })) {
      files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), bytes]));
    }
    return files;
  };
  const verify = async (checkpoint: string, earlier: string): Promise<unknown> => {
    const files = await exportOf(checkpoint);
    const { parseVerifierKey } = await import('@bailiwick/ledger');
    return verifyExport(
      { read: async (name) => files.get(name), list: async () => [...files.keys()] },
      { originKey: parseVerifierKey(keys['eu-de'].log), earlier },
    );
  };

  it('cosign each checkpoint within two seconds, and serve it to anybody', async () => {
    for (const place of CELLS) cellOf(place).cell.witnesses.rounds.start();
    const eu = cellOf('eu-de');
    await write('eu-de', 300);
    const { size = 0 } = (await eu.cell.ledger.store.readCheckpoint(1)) ?? {};
    const startedMs = performance.now();
    let note = '';
    await expect
      .poll(
        async () => {
          const { status, body } = await eu.call({ path: '/v1/ledger/cosigned-checkpoint' });
          note = body;
          return status === 200 && Number(String(body).split('\n')[1]) >= size;
        },
        { timeout: 5_000, interval: 20 },
      )
      .toBe(true);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
    const { voices, witnesses } = verifyWitnessed(note, policy(), {
      nowSeconds: Math.floor(Date.now() / 1000),
    });
    expect(witnesses.map(({ name }) => name)).toEqual(['uk', 'us', 'auditor']);
    expect(voices.length).toBe(2);
    const { createHash } = await import('node:crypto');
    const hash = createHash('sha256').update('eu-de/main/ledger/1').digest('hex');
    const seen = await cellOf('us-va').call({ path: `/v1/witness/${hash}/checkpoint` });
    expect(seen.status).toBe(200);
    expect((await cellOf('us-va').call({ path: '/v1/witness/key' })).body).toBe(
      `${keys['us-va'].witness}\n`,
    );
    for (const place of CELLS) expect((await verifiedSize(place)) > 0).toBe(true);
  });

  const verifiedSize = async (place: Place): Promise<number> => {
    let size = 0;
    await expect
      .poll(async () => {
        const { status, body } = await cellOf(place).call({
          path: '/v1/ledger/cosigned-checkpoint',
        });
        if (status !== 200) return false;
        size = Number(String(body).split('\n')[1]);
        return true;
      })
      .toBe(true);
    return size;
  };

  it('ask at a fixed cadence, whether or not anything was logged', async () => {
    const origin = 'eu-de/main/ledger/1';
    const before = auditor.kept.get(origin)?.version ?? 0;
    await expect
      .poll(() => auditor.kept.get(origin)?.version ?? 0, { timeout: 8_000, interval: 50 })
      .toBeGreaterThanOrEqual(before + 3);
  });

  it('let nobody but cells of the trust domain ask, and keep what they refuse small', async () => {
    const uk = cellOf('uk-lon').cell.internalServer;
    const answer = await uk.inject({
      method: 'POST',
      url: '/internal/v1/witness/add-checkpoint',
      payload: 'old 0\n',
    });
    expect(answer.statusCode).not.toBe(200);
  });

  describe('when the ledger is attacked with its database and key in hand', () => {
    let honest = '';
    /** A cosigned checkpoint from before, with the export that belonged to it. */
    let older = '';

    beforeAll(async () => {
      const { rounds } = cellOf('eu-de').cell.witnesses;
      await vi.waitFor(() => expect(rounds.state.cosignaturesCount).toBe(3), 8_000);
      older = String((await cellOf('eu-de').call({ path: '/v1/ledger/cosigned-checkpoint' })).body);
      await write('eu-de', 40);
      const { size = 0 } = (await cellOf('eu-de').cell.ledger.store.readCheckpoint(1)) ?? {};
      const reached = { size, cosignaturesCount: 3 };
      await vi.waitFor(() => expect(rounds.state).toMatchObject(reached), 8_000);
      for (const place of CELLS) await cellOf(place).cell.witnesses.rounds.stop();
      honest = String(
        (await cellOf('eu-de').call({ path: '/v1/ledger/cosigned-checkpoint' })).body,
      );
      await cellOf('eu-de').cell.ledger.stop();
    });

    /** The attacker's own cell process over the changed tables: another history under the same key. */
    const rewrite = async (count: number): Promise<string> => {
      const { database } = cellOf('eu-de');
      await database.asOwner(
        'TRUNCATE ledger.entries, ledger.inbox, ledger.batches, ledger.heads, ledger.tiles',
      );
      const { createCellLedger } = await import('../ledger/cell-ledger.ts');
      const { runtime } = cellOf('eu-de').cell;
      const forged = createCellLedger({
        ...runtime,
        epoch: 1,
        privateKey: keys['eu-de'].ledgerKey,
      });
      forged.start();
      const receipts = await Promise.all(
        Array.from({ length: count }, () =>
          forged.entries.record(tenant.tenantId, { kind: 'refusal' }),
        ),
      );
      await forged.entries.awaitCheckpoint(receipts.at(-1)?.entryId as never, {
        timeoutMs: 10_000,
      });
      await forged.stop();
      return (await forged.store.readCheckpoint(1))?.note ?? '';
    };
    /** Shows the changed ledger to every witness, as the cell would. */
    const askAll = async (): Promise<Readonly<Record<string, string>>> => {
      const { openCellWitnesses } = await import('./cell-witnesses.ts');
      const { runtime, ledger } = cellOf('eu-de').cell;
      const { openIdentity } = await import('@bailiwick/pki');
      const identity = openIdentity(runtime.config.identity);
      const { createProver } = await import('@bailiwick/ledger');
      // A new process: nothing remembered of the tiles that were.
      const prover = createProver(
        async (address) => (await ledger.store.readTile(1, address)) ?? Buffer.alloc(0),
      );
      const fresh = { ...ledger, store: ledger.store, verifierKey: ledger.verifierKey, prover };
      const witnesses = openCellWitnesses({ ...runtime, ledger: fresh, identity });
      await witnesses.rounds.round();
      const { standings } = witnesses.rounds.state;
      await witnesses.rounds.stop();
      identity.close();
      return standings;
    };
    const expectCaught = async (forged: string, standing: string): Promise<void> => {
      const standings = await askAll();
      expect(Object.keys(standings).length).toBe(3);
      for (const [witness, found] of Object.entries(standings)) {
        expect(found, witness).toBe(standing);
      }
      expect(() =>
        verifyWitnessed(forged, policy(), { nowSeconds: Math.floor(Date.now() / 1000) }),
      ).toThrow(expect.objectContaining({ code: 'LEDGER_QUORUM_MISSING' }));
      await expect(verify(forged, honest)).rejects.toMatchObject({ code: 'LEDGER_EXPORT_INVALID' });
    };
    const sizeOf = (note: string): number => Number(note.split('\n')[1]);

    it('an older cosigned checkpoint that is replayed does not pass a verifier with a newer one', async () => {
      // Everything about it is genuine: signed, cosigned by a quorum, its export complete.
      expect(sizeOf(older)).toBeLessThan(sizeOf(honest));
      verifyWitnessed(older, policy());
      await verify(older, older);
      await verify(honest, older);
      await expect(verify(older, honest)).rejects.toMatchObject({
        problems: [{ code: 'history-changed' }],
      });
    });

    it('a rewritten and longer one is refused by all, and the contradiction is kept', async () => {
      const forged = await rewrite(sizeOf(honest) + 50);
      expect(sizeOf(forged)).toBeGreaterThan(sizeOf(honest));
      await expectCaught(forged, 'refused');
      expect(auditor.evidence).toContain(forged);
      const { database } = cellOf('uk-lon');
      const told = await database.asOwner<{ n: string }>(
        `SELECT count(*) AS n FROM ledger.entries WHERE kind = 'observation' AND body LIKE '%ledger-contradiction%'`,
      );
      expect(Number(told[0]?.n)).toBeGreaterThan(0);
    });

    it('a fork of the very same size is refused by all', async () => {
      const forged = await rewrite(sizeOf(honest));
      expect(sizeOf(forged)).toBe(sizeOf(honest));
      await expectCaught(forged, 'refused');
    });

    it('one that was cut is found to be behind what was cosigned', async () => {
      const forged = await rewrite(sizeOf(honest) - 100);
      await expectCaught(forged, 'ahead');
    });

    it('no witness forgot, and its table does not go back even by a careless hand', async () => {
      const { parseVerifierKey } = await import('@bailiwick/ledger');
      for (const place of ['uk-lon', 'us-va'] as const) {
        const [row] = await cellOf(place).database.asOwner<{ note: string; size: string }>(
          `SELECT note, size FROM ledger.witnessed WHERE origin = 'eu-de/main/ledger/1'`,
        );
        expect(Number(row?.size)).toBe(sizeOf(honest));
        const log = parseVerifierKey(keys['eu-de'].log);
        expect(verifyCheckpoint(row?.note ?? '', { log }).size).toBe(sizeOf(honest));
        await expect(
          cellOf(place).database.asOwner(
            `UPDATE ledger.witnessed SET size = size - 1, version = version + 1`,
          ),
        ).rejects.toThrow('never goes back');
      }
    });
  });
});
