// SPDX-License-Identifier: Apache-2.0
// AWS KMS as its SDK sees it: JSON 1.1 over POST with `X-Amz-Target`, Signature Version 4, its exceptions.
// Signatures are verified under the one credential that the server is given.
import { createHash, createHmac, randomUUID, timingSafeEqual } from 'node:crypto';
import { CloudKeys } from './cloud-keys.ts';
import {
  type FaultyServer,
  type HttpAnswer,
  type HttpQuestion,
  startFaultyServer,
} from './faulty-server.ts';

export interface AwsKmsServer {
  readonly server: FaultyServer;
  readonly keys: CloudKeys;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Encryption contexts seen, newest last. */
  readonly contexts: readonly Readonly<Record<string, string>>[];
}

const REGION = 'eu-central-1';
const credentials = {
  accessKeyId: 'AKIALOCALTESTSERVER0',
  secretAccessKey: 'local-test-server-secret-of-40-characters',
} as const;

const refuse = (type: string, message: string, status = 400): HttpAnswer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() },
  body: JSON.stringify({ __type: type, message }),
});
const say = (value: object): HttpAnswer => ({
  status: 200,
  headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': randomUUID() },
  body: JSON.stringify(value),
});

const hash = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

function isSigned({ method, path, headers, body }: HttpQuestion): boolean {
  const match =
    /Credential=([^/]+)\/(\d{8})\/([^/]+)\/kms\/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    );
  if (match === null || match[1] !== credentials.accessKeyId) return false;
  const [, , date = '', region = '', names = '', signature = ''] = match;
  const signed = names.split(';').map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`);
  const canonical = `${method}\n${path}\n\n${signed.join('')}\n${names}\n${hash(body)}`;
  const scope = `${date}/${region}/kms/aws4_request`;
  const amzDate = String(headers['x-amz-date']);
  const toSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${hash(canonical)}`;
  const key = hmac(
    hmac(hmac(hmac(`AWS4${credentials.secretAccessKey}`, date), region), 'kms'),
    'aws4_request',
  );
  return timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex'));
}

const toArn = (name: string): string => `arn:aws:kms:${REGION}:123456789012:key/${name}`;
/** Canonical bytes of an encryption context: order does not matter, everything else does. */
const toData = (context: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(JSON.stringify(Object.entries(context).sort()));

function useKey(
  keys: CloudKeys,
  target: string,
  fields: Readonly<Record<string, unknown>>,
): HttpAnswer {
  const name = String(fields['KeyId']).replace(/^alias\/|^.*:key\//, '');
  const key = keys.find(name);
  if (key === undefined) return refuse('NotFoundException', `Alias ${name} is not found.`);
  if (target === 'DescribeKey') {
    const states = { enabled: 'Enabled', disabled: 'Disabled', destroyed: 'PendingDeletion' };
    const KeyMetadata = {
      KeyId: name,
      Arn: toArn(name),
      Enabled: key.state === 'enabled',
      KeyState: states[key.state],
      KeyUsage: 'ENCRYPT_DECRYPT',
      KeySpec: 'SYMMETRIC_DEFAULT',
      Origin: 'AWS_KMS',
    };
    return say({ KeyMetadata });
  }
  if (key.state === 'disabled') return refuse('DisabledException', `${toArn(name)} is disabled.`);
  if (key.state === 'destroyed') {
    return refuse('KMSInvalidStateException', `${toArn(name)} is pending deletion.`);
  }
  const data = toData(Object(fields['EncryptionContext'] ?? {}));
  if (target === 'Encrypt') {
    const plaintext = Buffer.from(String(fields['Plaintext']), 'base64');
    const { version, bytes } = keys.encrypt(name, plaintext, data);
    // The blob says which key it is of; a lying service would say so as well.
    const blob = Buffer.concat([Buffer.from([version, name.length]), Buffer.from(name), bytes]);
    return say({
      KeyId: toArn(name),
      CiphertextBlob: blob.toString('base64'),
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    });
  }
  const blob = Buffer.from(String(fields['CiphertextBlob']), 'base64');
  const nameEnd = 2 + (blob[1] ?? 0);
  if (blob.length < nameEnd + 28) return refuse('InvalidCiphertextException', '');
  if (blob.subarray(2, nameEnd).toString() !== name) {
    return refuse('IncorrectKeyException', 'The key ID in the request does not identify a CMK.');
  }
  const sealed = { version: blob[0] ?? 0, bytes: blob.subarray(nameEnd) };
  const plaintext = keys.decrypt(name, sealed, data);
  if (plaintext === undefined) return refuse('InvalidCiphertextException', '');
  return say({
    KeyId: toArn(name),
    Plaintext: plaintext.toString('base64'),
    EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
  });
}

export async function startAwsKmsServer(): Promise<AwsKmsServer> {
  const keys = new CloudKeys();
  const contexts: Readonly<Record<string, string>>[] = [];
  const answer = (question: HttpQuestion): HttpAnswer => {
    const target = String(question.headers['x-amz-target']).replace('TrentService.', '');
    if (!['Encrypt', 'Decrypt', 'DescribeKey'].includes(target)) {
      return refuse('UnknownOperationException', '');
    }
    if (!isSigned(question)) {
      return refuse('UnrecognizedClientException', 'The security token is invalid.');
    }
    const fields: Readonly<Record<string, unknown>> = JSON.parse(question.body.toString());
    const context = fields['EncryptionContext'];
    if (context !== undefined) contexts.push(Object(context));
    return useKey(keys, target, fields);
  };
  const throttled = refuse('ThrottlingException', 'Rate exceeded');
  return { server: await startFaultyServer({ answer, throttled }), keys, credentials, contexts };
}
