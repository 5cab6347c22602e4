// SPDX-License-Identifier: Apache-2.0
// Goal: the client believes nothing that is not signed, and tells answers from failures. Method: real
// keys, each field of a signed entry changed in turn.
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { findProblem, isProblem, toProblem, unwrap } from './answer.ts';
import { parseDirectoryKey, verifyHome } from './directory.ts';
import { createAssertion, parsePrivateKey, toKeyId } from './tokens.ts';

const TENANT = '0190b0de-7a5c-7c3e-8f00-000000000001';
const TYPE = 'application/vnd.bailiwick.directory-entry.v1+json';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const other = generateKeyPairSync('ed25519');
const ENTRY = {
  v: 1,
  tenantId: TENANT,
  residency: 'eu-de',
  cell: 'eu-de/main',
  name: 'eu-de.cells.bailiwick.localhost',
  addresses: [{ host: '127.0.0.1', port: 7410 }],
  issuedAt: '2026-11-20T12:00:00.000Z',
  validForMs: 60_000,
};
const ASKED = { keys: [publicKey], tenant: TENANT, residency: 'eu-de' };

function envelope(entry: unknown, key: KeyObject = privateKey, type = TYPE): unknown {
  const payload = Buffer.from(JSON.stringify(entry));
  const pae = Buffer.concat([
    Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `),
    payload,
  ]);
  const sig = sign(null, pae, key).toString('base64');
  return {
    payloadType: type,
    payload: payload.toString('base64'),
    signatures: [{ keyid: 'x', sig }],
  };
}

const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'no code';
  }
  return 'nothing thrown';
};

describe('a home', () => {
  it('is believed when a pinned key signed it', () => {
    const home = verifyHome(envelope(ENTRY), ASKED);
    expect(home.cell).toBe('eu-de/main');
    expect(home.endpoints).toEqual([{ name: ENTRY.name, host: '127.0.0.1', port: 7410 }]);
  });

  it('is not believed from another key', () => {
    expect(codeOf(() => verifyHome(envelope(ENTRY, other.privateKey), ASKED))).toBe(
      'SDK_DIRECTORY_UNVERIFIED',
    );
  });

  it.each([
    ['another residency', { ...ENTRY, residency: 'us-va' }],
    ['another tenant', { ...ENTRY, tenantId: TENANT.replace(/1$/, '2') }],
    ['no address', { ...ENTRY, addresses: [] }],
    ['an unknown field', { ...ENTRY, also: 1 }],
    ['no name', { ...ENTRY, name: undefined }],
    ['a cell that is none', { ...ENTRY, cell: 'eu-de' }],
    ['a negative life', { ...ENTRY, validForMs: -1 }],
  ])('is refused with %s, signed or not', (_, entry) => {
    expect(codeOf(() => verifyHome(envelope(entry), ASKED))).toBe('SDK_DIRECTORY_UNVERIFIED');
  });

  it('is refused as a statement of another type', () => {
    const type = 'application/vnd.bailiwick.bundle.v1+json';
    expect(codeOf(() => verifyHome(envelope(ENTRY, privateKey, type), ASKED))).toBe(
      'SDK_DIRECTORY_UNVERIFIED',
    );
  });

  it('is refused with any byte of the payload changed', () => {
    const signed = JSON.parse(JSON.stringify(envelope(ENTRY)));
    const payload = Buffer.from(signed.payload, 'base64');
    for (let at = 0; at < payload.length; at += 7) {
      const changed = Buffer.from(payload);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const body = { ...signed, payload: changed.toString('base64') };
      expect(codeOf(() => verifyHome(body, ASKED))).toBe('SDK_DIRECTORY_UNVERIFIED');
    }
  });

  it.each([undefined, null, 'x', 7, {}, { payloadType: TYPE, payload: '' }, { signatures: [] }])(
    'is refused when it is %j',
    (body) => {
      expect(codeOf(() => verifyHome(body, ASKED))).toBe('SDK_DIRECTORY_UNVERIFIED');
    },
  );

  it('needs keys of 32 bytes', () => {
    expect(codeOf(() => parseDirectoryKey('AAAA'))).toBe('SDK_OPTIONS_INVALID');
  });
});

describe('an assertion', () => {
  it('is signed by the account’s key and names it', () => {
    const jwt = createAssertion(privateKey, { account: 'a', audience: 'cell', nowMs: 1_000_000 });
    const [head = '', body = '', signature = ''] = jwt.split('.');
    expect(JSON.parse(Buffer.from(head, 'base64url').toString())).toEqual({
      alg: 'EdDSA',
      typ: 'client-authentication+jwt',
      kid: toKeyId(publicKey),
    });
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString());
    expect(claims).toMatchObject({ iss: 'a', sub: 'a', aud: 'cell', iat: 1000, exp: 1060 });
    const signed = Buffer.from(`${head}.${body}`);
    expect(verify(null, signed, publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
  });

  it('is another one each time', () => {
    const make = (): string =>
      createAssertion(privateKey, { account: 'a', audience: 'cell', nowMs: 1_000_000 });
    expect(make()).not.toBe(make());
  });

  it('takes no key but ed25519, and does not quote what it refuses', () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const pem = String(rsa.export({ type: 'pkcs8', format: 'pem' }));
    for (const text of [pem, 'nonsense-secret', '']) {
      expect(codeOf(() => parsePrivateKey(text))).toBe('SDK_OPTIONS_INVALID');
    }
    const text = String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    expect(parsePrivateKey(text).equals(createPrivateKey(text))).toBe(true);
  });
});

describe('an answer', () => {
  const meta = { status: 403, requestId: undefined, etag: undefined };
  const problem = { type: 't', title: 'denied', status: 403, detail: 'no', code: 'X_Y_Z' };

  it('gives its value or throws its problem', () => {
    expect(unwrap({ ok: true, value: 7, meta })).toBe(7);
    expect(codeOf(() => unwrap({ ok: false, problem, meta }))).toBe('SDK_ANSWER_REFUSED');
    try {
      unwrap({ ok: false, problem, meta });
    } catch (error) {
      expect(findProblem(error)).toEqual(problem);
    }
    expect(findProblem(new Error('x'))).toBeUndefined();
  });

  it('is a problem also when the body is none', () => {
    expect(isProblem(problem)).toBe(true);
    expect(isProblem({ ...problem, code: 1 })).toBe(false);
    expect(toProblem(502, '<html>').code).toBe('SDK_ANSWER_INVALID');
    expect(toProblem(404, { title: 'x' }).status).toBe(404);
  });
});
