// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { aLog, aPrivateKey } from './a-log.ts';
import { verifyCheckpoint } from './checkpoint.ts';
import { parseNote, parseVerifierKey, toVerifierKeyText, verifyNote } from './note.ts';
import { createCosigner, createLogSigner } from './signer.ts';
import { parseTlogProof, toTlogProofText, verifyTlogProof } from './tlog-proof.ts';

const code = (expected: string): unknown => expect.objectContaining({ code: expected });
const { signer, checkpoint, head } = aLog(7);
const log = signer.verifierKey;
const witness = createCosigner({ name: 'witness.example/w1', privateKey: aPrivateKey('w1') });
const text = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1);
const cosigned = checkpoint + witness.cosign(text, { atSeconds: 1_679_315_147 });

describe('a signed checkpoint', () => {
  it('verifies, with the time of each witness that cosigned', () => {
    const verified = verifyCheckpoint(cosigned, { log, witnesses: [witness.verifierKey] });
    expect(verified.size).toBe(7);
    expect(verified.origin).toBe('eu-de/main/ledger/1');
    expect(verified.signers.map(({ key, atSeconds }) => [key.name, atSeconds])).toEqual([
      ['eu-de/main/ledger/1', undefined],
      ['witness.example/w1', 1_679_315_147],
    ]);
  });

  it('passes over signatures of keys that nobody told it of', () => {
    expect(verifyCheckpoint(cosigned, { log }).signers.length).toBe(1);
  });

  it('does not verify with any byte of it changed', () => {
    const bytes = Buffer.from(cosigned);
    const options = { log, witnesses: [witness.verifierKey] };
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x01;
      let signers = 0;
      try {
        signers = verifyCheckpoint(changed, options).signers.length;
      } catch (error) {
        expect(error, `byte ${at}`).toMatchObject({ code: expect.stringMatching(/^LEDGER_/) });
      }
      // A changed name or key id makes the witness unknown; the log's own signature still counts.
      expect(signers, `byte ${at}`).toBeLessThan(2);
      if (at < checkpoint.length - 1) expect(signers, `byte ${at}`).toBe(0);
    }
  });

  it('does not verify under another key, another name, or a key of another kind', () => {
    const other = createLogSigner({ origin: log.name, privateKey: aPrivateKey('other') });
    const renamed = createLogSigner({
      origin: 'us-va/main/ledger/1',
      privateKey: aPrivateKey('log'),
    });
    const asWitness = createCosigner({ name: log.name, privateKey: aPrivateKey('log') });
    for (const { verifierKey } of [other, renamed, asWitness]) {
      expect(() => verifyCheckpoint(checkpoint, { log: verifierKey })).toThrow(
        code('LEDGER_NOTE_UNSIGNED'),
      );
    }
  });

  it('is refused when only a witness signed', () => {
    const unsigned = `${text}\n${witness.cosign(text, { atSeconds: 5 })}`;
    const options = { log, witnesses: [witness.verifierKey] };
    expect(() => verifyCheckpoint(unsigned, options)).toThrow(code('LEDGER_NOTE_UNSIGNED'));
  });

  it('is refused when its origin is not the name of its key', () => {
    const note = checkpoint.replace('eu-de/main/ledger/1\n7', 'eu-de/main/ledger/2\n7');
    expect(() => verifyCheckpoint(note, { log })).toThrow(code('LEDGER_SIGNATURE_INVALID'));
    const body = 'another\n7\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n';
    const signed = `${body}\n${signBody(body)}`;
    expect(() => verifyCheckpoint(signed, { log })).toThrow(code('LEDGER_CHECKPOINT_INVALID'));
    const short = `${log.name}\n7\nAAAA\n`;
    expect(() => verifyCheckpoint(`${short}\n${signBody(short)}`, { log })).toThrow(
      code('LEDGER_CHECKPOINT_INVALID'),
    );
  });

  it('takes either key of a log that changes its key', () => {
    const next = createLogSigner({ origin: log.name, privateKey: aPrivateKey('next') });
    const both = [log, next.verifierKey];
    expect(verifyCheckpoint(checkpoint, { log: both }).size).toBe(7);
    expect(verifyCheckpoint(next.signCheckpoint(head), { log: both }).size).toBe(7);
  });
});

/** The log's signature line over any text, for texts that it would never sign. */
function signBody(body: string): string {
  const [origin = '', size = '', root = ''] = body.split('\n');
  const forger = createLogSigner({ origin, privateKey: aPrivateKey('log') });
  const head = { size: Number(size), root: Buffer.from(root, 'base64') };
  const line = forger.signCheckpoint(head).split('\n\n')[1] ?? '';
  const bytes = Buffer.from(line.split(' ')[2] ?? '', 'base64');
  bytes.writeUInt32BE(log.id);
  return `\u2014 ${log.name} ${bytes.toString('base64')}\n`;
}

describe('a note', () => {
  const line = '\u2014 name AAAAAAAA';
  it.each([
    ['no empty line', `text\n${line}\n`],
    ['no signature', 'text\n\n'],
    ['no last newline', `text\n\n${line}`],
    ['a carriage return', `te\rxt\n\n${line}\n`],
    ['a null', `te\0xt\n\n${line}\n`],
    ['a tab', `te\txt\n\n${line}\n`],
    ['a hyphen for the dash', 'text\n\n- name AAAAAAAA\n'],
    ['two spaces', 'text\n\n\u2014  name AAAAAAAA\n'],
    ['a plus in the name', 'text\n\n\u2014 na+me AAAAAAAA\n'],
    ['a wide space in the name', 'text\n\n\u2014 na\u2003me AAAAAAAA\n'],
    ['base64 of another alphabet', 'text\n\n\u2014 name AAAA-AAA\n'],
    ['base64 with stray bits', 'text\n\n\u2014 name AAAAAAB=\n'],
    ['a signature of four bytes', 'text\n\n\u2014 name AAAAAA==\n'],
    ['too many signatures', `text\n\n${`${line}\n`.repeat(65)}`],
    ['too many bytes', `${'a'.repeat(70_000)}\n\n${line}\n`],
  ])('is refused with %s', (_what, note) => {
    expect(() => parseNote(note)).toThrow(code('LEDGER_NOTE_INVALID'));
  });

  it('is refused when it is not UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from([0xff]), Buffer.from(`text\n\n${line}\n`)]);
    expect(() => parseNote(bytes)).toThrow(code('LEDGER_NOTE_INVALID'));
  });

  it('may hold empty lines and sixteen signatures', () => {
    const { text, signatures } = parseNote(`a\n\nb\n\n${`${line}\n`.repeat(16)}`);
    expect([text, signatures.length]).toEqual(['a\n\nb\n', 16]);
    expect(() => verifyNote({ text, signatures }, [log])).toThrow(code('LEDGER_NOTE_UNSIGNED'));
  });

  it.each([
    ['no plus', 'name'],
    ['an empty name', '+00000000+AAAA'],
    ['a short key id', 'name+0000000+AQAA'],
    [
      'an upper-case key id',
      toVerifierKeyText(log).replace(/\+[0-9a-f]{8}\+/, (id) =>
        id.toUpperCase().replace(/\d/, 'A'),
      ),
    ],
    ['another key id', toVerifierKeyText({ ...log, id: log.id ^ 1 })],
    ['another name', toVerifierKeyText({ ...log, name: 'other' })],
    ['a key of 31 bytes', toVerifierKeyText({ ...log, publicKey: log.publicKey.subarray(1) })],
    ['a signature type nobody here speaks', toVerifierKeyText({ ...log, type: 6 as 1 })],
  ])('is not checked with a vkey with %s', (_what, vkey) => {
    expect(() => parseVerifierKey(vkey)).toThrow(code('LEDGER_KEY_INVALID'));
  });

  it('is cosigned only with a time', () => {
    for (const atSeconds of [0, -1, 1.5, 2 ** 53]) {
      expect(() => witness.cosign(text, { atSeconds })).toThrow(RangeError);
    }
  });
});

describe('a proof file', () => {
  const { prover, leaves } = aLog(7);
  const make = async (index: number): Promise<string> => {
    const hashes = await prover.proveInclusion({ index, size: 7 });
    return toTlogProofText({ index, hashes, checkpoint: cosigned, extra: Buffer.from('extra') });
  };

  it('verifies offline, and comes back as it was written', async () => {
    const file = await make(4);
    const proof = parseTlogProof(file);
    expect(toTlogProofText(proof)).toBe(file);
    const leafHash = leaves[4] ?? Buffer.alloc(32);
    expect(verifyTlogProof(proof, { leafHash, log }).index).toBe(4);
  });

  it('does not verify for another leaf, index or key', async () => {
    const proof = parseTlogProof(await make(4));
    const [leafHash = Buffer.alloc(32), other = Buffer.alloc(32)] = [leaves[4], leaves[5]];
    expect(() => verifyTlogProof(proof, { leafHash: other, log })).toThrow(
      code('LEDGER_PROOF_INVALID'),
    );
    expect(() => verifyTlogProof({ ...proof, index: 5 }, { leafHash, log })).toThrow(
      code('LEDGER_PROOF_INVALID'),
    );
    const { verifierKey } = createLogSigner({ origin: log.name, privateKey: aPrivateKey('x') });
    expect(() => verifyTlogProof(proof, { leafHash, log: verifierKey })).toThrow(
      code('LEDGER_NOTE_UNSIGNED'),
    );
  });
});
