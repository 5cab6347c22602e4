// SPDX-License-Identifier: Apache-2.0
// Goal: the bytes of the XKS proxy API. Method: vectors of AWS (Signature Version 4 test suite,
// `post-vanilla`; XKS specification, Appendix C), and every way in which a signature or a body can be wrong.
import { randomBytes } from 'node:crypto';
import { decodeBase64, encodeBase64, takeSecretField } from '@bailiwick/customer-keys';
import { describe, expect, it } from 'vitest';
import {
  type SigningCredential,
  signRequest,
  toAmzDate,
  toIntegrityValue,
  toKeysFailure,
  verifyRequest,
  XKS_ERRORS,
} from './index.ts';
import { isXksErrorName } from './protocol.ts';

const credential: SigningCredential = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: Buffer.from('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
};

describe('Signature Version 4', () => {
  it('signs as the vector of AWS says', () => {
    const amzDate = '20150830T123600Z';
    const headers = { host: 'example.amazonaws.com', 'x-amz-date': amzDate };
    const header = signRequest({ path: '/', headers, body: Buffer.alloc(0) }, credential, {
      region: 'us-east-1',
      service: 'service',
      amzDate,
    });
    expect(header).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    );
  });

  const nowMs = Date.UTC(2026, 10, 20, 12, 0, 0);
  const sign = (changes: { readonly amzDate?: string; readonly region?: string } = {}) => {
    const { amzDate = toAmzDate(nowMs), region = 'eu-west-1' } = changes;
    const request = {
      path: '/p/kms/xks/v1/health',
      headers: {
        host: 'keys.example',
        'x-amz-date': amzDate,
        'x-bailiwick-occasion': 'purpose=lease',
      },
      body: Buffer.from('{"a":1}'),
    };
    const authorization = signRequest(request, credential, { region, amzDate });
    return { ...request, headers: { ...request.headers, authorization } };
  };
  const find = (id: string): SigningCredential | undefined =>
    id === credential.accessKeyId ? credential : undefined;

  it('verifies what was signed and says what the signature covers', () => {
    expect(verifyRequest(sign(), find, nowMs)).toEqual({
      accessKeyId: 'AKIDEXAMPLE',
      region: 'eu-west-1',
      signedHeaders: ['host', 'x-amz-date', 'x-bailiwick-occasion'],
    });
  });

  it('refuses any other path, body, header or signature', () => {
    const good = sign();
    const { headers } = good;
    const { authorization } = headers;
    const { 'x-amz-date': _date, ...undated } = headers;
    const wrong: readonly Parameters<typeof verifyRequest>[0][] = [
      { ...good, path: '/p/kms/xks/v1/keys/a/decrypt' },
      { ...good, path: `${good.path}?x=1` },
      { ...good, body: Buffer.from('{"a":2}') },
      { ...good, body: Buffer.alloc(0) },
      { ...good, headers: { ...headers, host: 'other.example' } },
      { ...good, headers: { ...headers, 'x-bailiwick-occasion': 'purpose=analytics' } },
      { ...good, headers: { ...headers, 'x-amz-date': toAmzDate(nowMs + 1000) } },
      { ...good, headers: undated },
      { ...good, headers: { ...headers, authorization: undefined } },
      { ...good, headers: { ...headers, authorization: '' } },
      { ...good, headers: { ...headers, authorization: authorization.slice(0, -1) } },
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace('Signature=', 'Signature=0') },
      },
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace('eu-west-1', 'eu-west-2') },
      },
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace('kms-xks-proxy', 's3') },
      },
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace('AKIDEXAMPLE', 'AKIDEXAMPLF') },
      },
      // A header less under the signature, or one that is not there.
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace(';x-bailiwick-occasion', '') },
      },
      {
        ...good,
        headers: { ...headers, authorization: authorization.replace('host;', 'host;via;') },
      },
    ];
    for (const request of wrong) expect(verifyRequest(request, find, nowMs)).toBeUndefined();
    expect(verifyRequest(good, () => undefined, nowMs)).toBeUndefined();
    const other = { ...credential, secretAccessKey: Buffer.alloc(43, 65) };
    expect(verifyRequest(good, () => other, nowMs)).toBeUndefined();
  });

  it('refuses a signature that does not cover host and date', () => {
    for (const name of ['host', 'x-amz-date']) {
      const good = sign();
      const { authorization: _old, [name as 'host']: value, ...covered } = good.headers;
      const amzDate = toAmzDate(nowMs);
      const partly = signRequest({ ...good, headers: covered }, credential, {
        region: 'r',
        amzDate,
      });
      const headers = { ...covered, [name]: value, authorization: partly };
      expect(verifyRequest({ ...good, headers }, find, nowMs)).toBeUndefined();
    }
  });

  it('refuses what is more than five minutes old or ahead, or of another day than it says', () => {
    const limit = 5 * 60_000;
    expect(verifyRequest(sign(), find, nowMs + limit)).toBeDefined();
    expect(verifyRequest(sign(), find, nowMs - limit)).toBeDefined();
    expect(verifyRequest(sign(), find, nowMs + limit + 1000)).toBeUndefined();
    expect(verifyRequest(sign(), find, nowMs - limit - 1000)).toBeUndefined();
    for (const amzDate of ['', '20261120', '2026-11-20T12:00:00Z', '20261320T120000Z']) {
      expect(verifyRequest(sign({ amzDate }), find, nowMs)).toBeUndefined();
    }
  });
});

describe('integrity values', () => {
  it('are as Appendix C computes them', () => {
    const value = toIntegrityValue({
      authenticatedData: Buffer.from('project=nile,department=marketing'),
      metadata: Buffer.from('key_version=1'),
      iv: Buffer.from('1ccae5470f39700254779031', 'hex'),
      ciphertext: Buffer.from('821c642b5b71783367deaf18', 'hex'),
      tag: Buffer.from('bc1c4dda7707d6812447c5955e99b261', 'hex'),
    });
    expect(value.toString('base64')).toBe('qHA/ImC9h5HsLRXqCyPmWgYx7tzyoTplzILbP0fPXsc=');
  });
});

describe('Base64 of bytes', () => {
  it('is what node makes of it, both ways', () => {
    for (let size = 0; size < 80; size += 1) {
      const bytes = randomBytes(size);
      const text = encodeBase64(bytes);
      expect(text.toString('latin1')).toBe(bytes.toString('base64'));
      expect(decodeBase64(text)?.equals(bytes)).toBe(true);
    }
  });

  it('refuses everything else', () => {
    for (const text of [
      'A',
      'AA',
      'AAA',
      'AA=A',
      'A===',
      '====',
      'AB==',
      'AAB=',
      'AA A',
      'AAA-',
      'AAA_',
      'AAAA\n',
      'QUJD=',
    ]) {
      expect(decodeBase64(Buffer.from(text, 'latin1')), text).toBeUndefined();
    }
  });
});

describe('secret fields', () => {
  const take = (json: string) => {
    const body = Buffer.from(json);
    return { field: takeSecretField(body, 'plaintext'), rest: body.toString() };
  };

  it('are taken out before the rest is parsed', () => {
    const { field, rest } = take(
      '{ "a": {"plaintext": "AAAA"}, "plaintext" : "c2VjcmV0cw==", "b": 1 }',
    );
    expect(field.kind === 'found' && field.bytes.toString()).toBe('secrets');
    expect(rest).not.toContain('c2Vj');
    expect(JSON.parse(rest)).toMatchObject({ a: { plaintext: 'AAAA' }, b: 1 });
  });

  it('are absent, or invalid, and never half a value', () => {
    for (const json of [
      '{}',
      '[]',
      '',
      '{"x":"plaintext"}',
      '{"a":{"plaintext":"AAAA"}}',
      '["plaintext","AAAA"]',
      '{"plain\\u0074ext":"AAAA"}',
    ]) {
      expect(take(json).field.kind, json).toBe('absent');
    }
    for (const json of [
      '{"plaintext":1}',
      '{"plaintext":"A"}',
      '{"plaintext":""}',
      '{"plaintext":null}',
      '{"plaintext":"AAAA","plaintext":"BBBB"}',
      '{"plaintext":"AA\\u0041A"}',
      '{"plaintext":{"a":"AAAA"}}',
    ]) {
      expect(take(json).field.kind, json).toBe('invalid');
    }
    const twice = take('{"plaintext":"c2VjcmV0cw==","plaintext":"c2VjcmV0cw=="}');
    expect(twice.rest).not.toContain('c2Vj');
  });
});

describe('error names', () => {
  it('each mean one thing to the port', () => {
    const codes = Object.keys(XKS_ERRORS)
      .filter(isXksErrorName)
      .map((name) => [name, toKeysFailure(name).code.replace('KEYS_', '')]);
    expect(Object.fromEntries(codes)).toEqual({
      ValidationException: 'PROVIDER_UNAVAILABLE',
      InvalidStateException: 'CUSTOMER_KEY_DISABLED',
      InvalidCiphertextException: 'KEY_UNREADABLE',
      InvalidKeyUsageException: 'CUSTOMER_KEY_DISABLED',
      AuthenticationFailedException: 'PROVIDER_UNAVAILABLE',
      AccessDeniedException: 'CUSTOMER_KEY_DISABLED',
      KeyNotFoundException: 'CUSTOMER_KEY_UNKNOWN',
      InvalidUriPathException: 'PROVIDER_MISCONFIGURED',
      ThrottlingException: 'PROVIDER_UNAVAILABLE',
      UnsupportedOperationException: 'PROVIDER_UNAVAILABLE',
      DependencyTimeoutException: 'PROVIDER_UNAVAILABLE',
      InternalException: 'PROVIDER_UNAVAILABLE',
    });
  });

  it('are no names of objects', () => {
    for (const name of ['toString', '__proto__', '', 7, undefined])
      expect(isXksErrorName(name)).toBe(false);
  });
});
