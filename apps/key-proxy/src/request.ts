// SPDX-License-Identifier: Apache-2.0
// Reads bodies of the XKS proxy API. All of a body is untrusted, also when it is signed; secrets are taken
// out of it before it is parsed.
import { decodeBase64, takeSecretField } from '@bailiwick/customer-keys';
import {
  AAD_SIZE_BYTES_MAX,
  CIPHERTEXT_METADATA_SIZE_BYTES_MAX,
  IV_SIZES_BYTES,
  PLAINTEXT_SIZE_BYTES_MAX,
  TAG_SIZE_BYTES,
} from '@bailiwick/xks';
import { XksFailure } from './xks-error.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface RequestMetadata {
  readonly kmsRequestId: string;
  readonly kmsOperation: string;
  readonly principal: string | undefined;
  readonly kmsKey: string | undefined;
  readonly viaService: string | undefined;
}

const EMPTY = Buffer.alloc(0);
const WRAP_DOMAIN = Buffer.from('bailiwick/wrap/v1\0', 'utf8');

export function invalid(problem: string): XksFailure {
  return new XksFailure('ValidationException', problem);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws {XksFailure} `ValidationException` */
export function parseBody(body: Buffer): Fields {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid('the body is not JSON');
  }
  if (!isFields(value)) throw invalid('the body is not an object');
  return value;
}

/** Reads `requestMetadata`; `required` names what this operation must have besides id and operation. */
export function parseMetadata(
  fields: Fields,
  required: readonly ('awsPrincipalArn' | 'kmsKeyArn')[],
): RequestMetadata {
  const metadata = fields['requestMetadata'];
  if (!isFields(metadata)) throw invalid('requestMetadata is required');
  const read = (name: string): string | undefined => {
    const value = metadata[name];
    if (value !== undefined && typeof value !== 'string') throw invalid(`${name} must be a string`);
    return value === '' ? undefined : value;
  };
  const kmsRequestId = read('kmsRequestId');
  const kmsOperation = read('kmsOperation');
  if (kmsRequestId === undefined) throw invalid('kmsRequestId is required');
  if (kmsOperation === undefined) throw invalid('kmsOperation is required');
  for (const name of required) if (read(name) === undefined) throw invalid(`${name} is required`);
  return {
    kmsRequestId,
    kmsOperation,
    principal: read('awsPrincipalArn'),
    kmsKey: read('kmsKeyArn'),
    viaService: read('kmsViaService'),
  };
}

function readBytes(fields: Fields, name: string): Buffer | undefined {
  const text = fields[name];
  if (text === undefined) return undefined;
  const bytes = typeof text === 'string' ? decodeBase64(Buffer.from(text, 'utf8')) : undefined;
  if (bytes === undefined) throw invalid(`${name} must be Base64`);
  return bytes;
}

function needBytes(fields: Fields, name: string): Buffer {
  const bytes = readBytes(fields, name);
  if (bytes === undefined || bytes.length === 0) throw invalid(`${name} is required`);
  return bytes;
}

function checkSize(name: string, size: number, sizeMax: number): void {
  if (size <= sizeMax) return;
  throw new XksFailure('UnsupportedOperationException', `${name} has more than ${sizeMax} bytes`);
}

function checkAlgorithm(fields: Fields): void {
  if (fields['encryptionAlgorithm'] !== 'AES_GCM')
    throw invalid('encryptionAlgorithm must be AES_GCM');
}

function readAuthenticatedData(fields: Fields): Buffer {
  const bytes = readBytes(fields, 'additionalAuthenticatedData') ?? EMPTY;
  checkSize('additionalAuthenticatedData', bytes.length, AAD_SIZE_BYTES_MAX);
  return bytes;
}

export interface EncryptRequest {
  readonly plaintext: Buffer;
  readonly authenticatedData: Buffer;
  readonly wantsIntegrityValue: boolean;
}

/** Takes the plaintext out of the body before anything else reads it. */
export function takePlaintext(body: Buffer): Buffer | undefined {
  const field = takeSecretField(body, 'plaintext');
  return field.kind === 'found' ? field.bytes : undefined;
}

/** @throws {XksFailure} `ValidationException`, `UnsupportedOperationException` */
export function parseEncrypt(fields: Fields, plaintext: Buffer | undefined): EncryptRequest {
  checkAlgorithm(fields);
  if (plaintext === undefined || plaintext.length === 0) {
    throw invalid('plaintext is required, in Base64');
  }
  checkSize('plaintext', plaintext.length, PLAINTEXT_SIZE_BYTES_MAX);
  const algorithm = fields['ciphertextDataIntegrityValueAlgorithm'];
  if (algorithm !== undefined && algorithm !== 'SHA_256') {
    throw invalid('ciphertextDataIntegrityValueAlgorithm must be SHA_256');
  }
  const authenticatedData = readAuthenticatedData(fields);
  return { plaintext, authenticatedData, wantsIntegrityValue: algorithm !== undefined };
}

export interface DecryptRequest {
  readonly authenticatedData: Buffer;
  readonly metadata: Buffer;
  readonly iv: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** @throws {XksFailure} `ValidationException`, `UnsupportedOperationException` */
export function parseDecrypt(fields: Fields): DecryptRequest {
  checkAlgorithm(fields);
  const request = {
    authenticatedData: readAuthenticatedData(fields),
    metadata: readBytes(fields, 'ciphertextMetadata') ?? EMPTY,
    iv: needBytes(fields, 'initializationVector'),
    ciphertext: needBytes(fields, 'ciphertext'),
    tag: needBytes(fields, 'authenticationTag'),
  };
  checkSize('ciphertext', request.ciphertext.length, PLAINTEXT_SIZE_BYTES_MAX);
  if (!IV_SIZES_BYTES.includes(request.iv.length)) {
    throw invalid('initializationVector must have 12 or 16 bytes');
  }
  if (request.tag.length !== TAG_SIZE_BYTES) throw invalid('authenticationTag must have 16 bytes');
  if (request.metadata.length > CIPHERTEXT_METADATA_SIZE_BYTES_MAX) {
    throw invalid('ciphertextMetadata has more than 20 bytes');
  }
  return request;
}

/** The context of one of our own wraps, as far as it is worth a log line and a rule. */
export interface KnownContext {
  readonly tenant: string;
  readonly cell: string;
  /** Kind, id and version of the key inside. */
  readonly wrapped: string;
}

/** Reads a wrap's context out of authenticated data; undefined when it is somebody else's. */
export function parseContext(authenticatedData: Buffer): KnownContext | undefined {
  if (!authenticatedData.subarray(0, WRAP_DOMAIN.length).equals(WRAP_DOMAIN)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(authenticatedData.subarray(WRAP_DOMAIN.length).toString('utf8'));
  } catch {
    return undefined;
  }
  if (!isFields(value)) return undefined;
  const { tenant, cell, kind, key, version } = value;
  if (typeof tenant !== 'string' || typeof cell !== 'string') return undefined;
  return { tenant, cell, wrapped: `${String(kind)}/${String(key)}/${String(version)}` };
}
