// SPDX-License-Identifier: Apache-2.0
// Everything that a new proxy needs, in a directory that does not exist yet: its own certificate, a
// credential, a key in the token, the configuration, and what the other side must be given.
import 'reflect-metadata';
import { randomBytes, webcrypto, X509Certificate } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { encodeBase64 } from '@bailiwick/customer-keys';
import { openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import { API_PATH, toPin } from '@bailiwick/xks';
import * as x509 from '@peculiar/x509';
import { stringify } from 'yaml';
import { KeyProxyError } from './errors.ts';

export interface SetUpOptions {
  readonly directory: string;
  /** The name that callers use. */
  readonly serverName: string;
  readonly host: string;
  readonly port: number;
  /** Certificate of the cell's key service: it alone may connect, by its key. */
  readonly clientCertFile: string;
  readonly clientCaFile: string;
  readonly library: string;
  readonly tokenLabel: string;
  readonly pinFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly keyId: string;
  readonly uriPathPrefix: string;
}

/** What the operator of the cell is given. The secret goes by its own file, not by this. */
export interface Enrolment {
  readonly url: string;
  readonly uriPathPrefix: string;
  readonly accessKeyId: string;
  readonly externalKeyId: string;
  /** SHA-256 of the proxy's public key, base64. */
  readonly pin: string;
  readonly caFile: string;
  readonly secretFile: string;
  /** All of this and the certificate, for the cell's operator. */
  readonly enrolmentFile: string;
  /** For the AWS KMS console, should it be AWS that asks. */
  readonly xksProxyUriPath: string;
}

/** What the cell's operator is given, besides the secret. */
export const ENROLMENT_FILE = 'enrolment.json';
const CERTIFICATE_VALID_FOR_MS = 365 * 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

function toPem(label: string, der: Uint8Array): Buffer {
  const text = encodeBase64(der);
  const lines: Buffer[] = [Buffer.from(`-----BEGIN ${label}-----\n`)];
  for (let at = 0; at < text.length; at += 64) {
    lines.push(text.subarray(at, at + 64), Buffer.from('\n'));
  }
  lines.push(Buffer.from(`-----END ${label}-----\n`));
  return Buffer.concat(lines);
}

async function createServerCertificate(serverName: string): Promise<{
  readonly cert: Buffer;
  readonly key: Buffer;
}> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${serverName}`,
      keys,
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + CERTIFICATE_VALID_FOR_MS),
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: serverName }]),
      ],
    },
    webcrypto,
  );
  const pkcs8 = new Uint8Array(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = toPem('PRIVATE KEY', pkcs8);
  pkcs8.fill(0);
  return { cert: toPem('CERTIFICATE', new Uint8Array(certificate.rawData)), key };
}

/**
 * Who may connect. A certificate that an authority renews keeps its SPIFFE id and not its key: then the
 * id under exactly that authority is pinned. One that stands for itself is pinned by its key.
 */
function toAllowed(
  { clientCaFile, clientCertFile }: SetUpOptions,
  client: X509Certificate,
): { readonly uri: string } | { readonly pin: string } {
  const uri = /(?:^|, )URI:(spiffe:\/\/[^,\s]+)/.exec(client.subjectAltName ?? '')?.[1];
  const isSelfSigned = clientCaFile === clientCertFile || client.checkIssued(client);
  return uri === undefined || isSelfSigned ? { pin: toPin(client) } : { uri };
}

/** Random, of the alphabet and length that the specification asks for. */
function createAccessKeyId(): string {
  return [...randomBytes(26)].map((byte) => BASE32[byte & 31]).join('');
}

/** @throws {KeyProxyError} `KEY_PROXY_EXISTS`; and what the token throws */
export async function setUpKeyProxy(options: SetUpOptions): Promise<Enrolment> {
  const { directory, serverName, host, port, keyId, uriPathPrefix } = options;
  if (existsSync(directory)) {
    throw new KeyProxyError('KEY_PROXY_EXISTS', `\`${directory}\` is there already`);
  }
  const { library, tokenLabel, pinFile, environment } = options;
  const token = { library, tokenLabel, pinFile: path.resolve(pinFile), environment };
  const keys = openPkcs11Keys(token);
  try {
    await keys.createKey(keyId);
  } finally {
    keys.close();
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const at = (name: string): string => path.join(directory, name);
  const own = await createServerCertificate(serverName);
  writeFileSync(at('server.pem'), own.cert, { mode: 0o644 });
  writeFileSync(at('server.key'), own.key, { mode: 0o600 });
  own.key.fill(0);
  copyFileSync(options.clientCaFile, at('clients-ca.pem'));
  const client = new X509Certificate(readFileSync(options.clientCertFile));
  const accessKeyId = createAccessKeyId();
  const secret = encodeBase64(randomBytes(33));
  const line = Buffer.concat([Buffer.from(`${accessKeyId} `), secret, Buffer.from('\n')]);
  writeFileSync(at('credentials'), line, { mode: 0o600 });
  writeFileSync(at('cell.secret'), secret, { mode: 0o600 });
  line.fill(0);
  secret.fill(0);
  const config = {
    listen: { host, port, certFile: 'server.pem', keyFile: 'server.key' },
    clients: { caFile: 'clients-ca.pem', allow: [toAllowed(options, client)] },
    token: { kind: 'pkcs11', ...token },
    stores: [{ uriPathPrefix, credentialsFile: 'credentials', keys: [{ id: keyId }] }],
    log: { file: 'access.log' },
  };
  writeFileSync(at('key-proxy.yaml'), stringify(config), { mode: 0o600 });
  const enrolment = toEnrolment(options, {
    accessKeyId,
    pin: toPin(new X509Certificate(own.cert)),
  });
  const shared = { v: 1, ...enrolment, ca: own.cert.toString('latin1') };
  writeFileSync(at(ENROLMENT_FILE), `${JSON.stringify(shared, null, 2)}\n`, { mode: 0o644 });
  return { ...enrolment, enrolmentFile: at(ENROLMENT_FILE) };
}

function toEnrolment(
  { directory, serverName, port, keyId, uriPathPrefix }: SetUpOptions,
  made: { readonly accessKeyId: string; readonly pin: string },
): Omit<Enrolment, 'enrolmentFile'> {
  const at = (name: string): string => path.join(directory, name);
  return {
    url: `https://${serverName}${port === 443 ? '' : `:${port}`}`,
    uriPathPrefix,
    accessKeyId: made.accessKeyId,
    externalKeyId: keyId,
    pin: made.pin,
    caFile: at('server.pem'),
    secretFile: at('cell.secret'),
    xksProxyUriPath: `${uriPathPrefix}${API_PATH}`,
  };
}
