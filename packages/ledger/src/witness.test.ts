// SPDX-License-Identifier: Apache-2.0
// Goal: a witness answers as c2sp.org/tlog-witness says, and never cosigns what does not extend what it
// cosigned before.
import { describe, expect, it } from 'vitest';
import { aLog, aPrivateKey } from './a-log.ts';
import { toCheckpointText } from './checkpoint.ts';
import { EMPTY_ROOT } from './hash.ts';
import { createLogSigner } from './signer.ts';
import {
  decideCosign,
  parseAddCheckpoint,
  toAddCheckpointText,
  type WitnessedHead,
} from './witness.ts';

const old = aLog(30);
const now = aLog(50);
const logs = [now.signer.verifierKey];
const knows = (head: WitnessedHead | undefined) => ({ logs, latest: () => head });
const proof = (): Promise<Uint8Array[]> => now.prover.proveConsistency({ oldSize: 30, size: 50 });

describe('a witness', () => {
  it('cosigns a first checkpoint, and one that extends the last', async () => {
    const first = { oldSize: 0, hashes: [], checkpoint: old.checkpoint };
    expect(decideCosign(first, knows(undefined)).outcome).toBe('cosign');
    const next = { oldSize: 30, hashes: await proof(), checkpoint: now.checkpoint };
    expect(decideCosign(next, knows(old.head)).outcome).toBe('cosign');
    const same = { oldSize: 50, hashes: [], checkpoint: now.checkpoint };
    expect(decideCosign(same, knows(now.head)).outcome).toBe('cosign');
  });

  it('tells its size to who thinks of another', async () => {
    const next = { oldSize: 30, hashes: await proof(), checkpoint: now.checkpoint };
    expect(decideCosign(next, knows(undefined))).toEqual({
      outcome: 'conflict',
      status: 409,
      size: 0,
    });
    expect(decideCosign(next, knows({ size: 40, root: EMPTY_ROOT }))).toMatchObject({ size: 40 });
  });

  it('refuses a fork, a rewrite, a truncation and a replay', async () => {
    const forked = aLog(50, { change: 7 });
    const hashes = await forked.prover.proveConsistency({ oldSize: 30, size: 50 });
    const refuse = (request: Parameters<typeof decideCosign>[0], head: WitnessedHead): unknown =>
      decideCosign(request, knows(head));
    expect(refuse({ oldSize: 30, hashes, checkpoint: forked.checkpoint }, old.head)).toMatchObject({
      status: 422,
    });
    expect(
      refuse({ oldSize: 50, hashes: [], checkpoint: forked.checkpoint }, now.head),
    ).toMatchObject({
      status: 422,
    });
    expect(refuse({ oldSize: 50, hashes: [], checkpoint: old.checkpoint }, now.head)).toMatchObject(
      {
        status: 400,
      },
    );
    expect(refuse({ oldSize: 30, hashes: [], checkpoint: old.checkpoint }, now.head)).toMatchObject(
      {
        status: 409,
      },
    );
  });

  it('refuses with the status that the specification names', async () => {
    const hashes = await proof();
    const other = createLogSigner({
      origin: now.signer.verifierKey.name,
      privateKey: aPrivateKey('x'),
    });
    const unsigned = other.signCheckpoint(now.head);
    const foreign = aLog(50, { origin: 'us-va/main/ledger/1' }).checkpoint;
    const broken = now.checkpoint.replace('\n50\n', '\n51\n');
    const emptyRoot = now.signer.signCheckpoint({ size: 0, root: now.head.root });
    const cases = [
      [{ oldSize: 30, hashes, checkpoint: foreign }, old.head, 404],
      [{ oldSize: 30, hashes, checkpoint: unsigned }, old.head, 403],
      [{ oldSize: 30, hashes, checkpoint: broken }, old.head, 403],
      [{ oldSize: 51, hashes, checkpoint: now.checkpoint }, old.head, 400],
      [{ oldSize: 30, hashes, checkpoint: 'nothing' }, old.head, 400],
      [{ oldSize: 0, hashes, checkpoint: now.checkpoint }, undefined, 422],
      [{ oldSize: 0, hashes: [], checkpoint: emptyRoot }, undefined, 422],
      [{ oldSize: 30, hashes: hashes.slice(1), checkpoint: now.checkpoint }, old.head, 422],
    ] as const;
    for (const [request, head, status] of cases) {
      expect(decideCosign(request, knows(head))).toMatchObject({ outcome: 'refuse', status });
    }
  });

  it('reads what it is sent, and nothing else', async () => {
    const request = { oldSize: 30, hashes: await proof(), checkpoint: now.checkpoint };
    const body = toAddCheckpointText(request);
    expect(toAddCheckpointText(parseAddCheckpoint(body))).toBe(body);
    const line = Buffer.alloc(32).toString('base64');
    for (const bad of [
      '',
      'old 1\n',
      `old 01\n\n${now.checkpoint}`,
      `old -1\n\n${now.checkpoint}`,
      `new 1\n\n${now.checkpoint}`,
      `old 1\nAAAA\n\n${now.checkpoint}`,
      `old 1\n${`${line}\n`.repeat(64)}\n${now.checkpoint}`,
    ]) {
      expect(() => parseAddCheckpoint(bad)).toThrow(
        expect.objectContaining({ code: 'LEDGER_NOTE_INVALID' }),
      );
    }
    expect(parseAddCheckpoint(`old 0\n\n${toCheckpointText(now.head as never)}`).hashes).toEqual(
      [],
    );
  });
});
