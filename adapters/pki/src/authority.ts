// SPDX-License-Identifier: Apache-2.0
// The built-in certificate authority: for demos and small installations. It is a directory with a key;
// whoever reads that directory can be anybody. Larger installations bring files from SPIRE or their own
// authority and never use this.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { PkiError } from './errors.ts';
import { assertPrivate, writeFileDurably } from './files.ts';
import type { IdentityFiles } from './identity.ts';
import { parseSpiffeId, parseTrustDomain, toTrustDomain } from './spiffe-id.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const;
const TEN_YEARS_MS = 3650 * 86_400_000;
/** How long an identity is good for when nothing else is said: one day. */
export const IDENTITY_VALID_FOR_MS = 86_400_000;
/** Certificates start a little in the past, because clocks differ. */
const CLOCK_SKEW_MS = 60_000;

/** What an identity is for. Without `spiffeId` it is a plain server certificate for its names. */
export interface IdentityRequest {
  readonly spiffeId?: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  /** Default one day. */
  readonly validForMs?: number;
}

/** Issues identities of one trust domain. */
export interface Authority {
  readonly trustDomain: string;
  /** The trust bundle: certificates of the authority, PEM. */
  readonly bundle: string;
  /**
   * Writes certificate, key (mode 0600) and trust bundle; each file is replaced as a whole.
   *
   * @throws {PkiError} `PKI_SPIFFE_ID_INVALID` for an id of another trust domain.
   */
  issueIdentity(files: IdentityFiles, request: IdentityRequest): Promise<void>;
}

interface AuthorityKeys {
  readonly certificate: x509.X509Certificate;
  readonly privateKey: webcrypto.CryptoKey;
}

const certFile = (directory: string): string => join(directory, 'authority.pem');
const keyFile = (directory: string): string => join(directory, 'authority.key');

function toPem(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** True when a directory holds an authority. */
export function isAuthority(directory: string): boolean {
  return existsSync(certFile(directory));
}

/**
 * Makes a new authority in a directory (mode 0700).
 *
 * @throws {PkiError} `PKI_AUTHORITY_EXISTS` rather than replace one: that would cut everybody off.
 */
export async function createAuthority(
  directory: string,
  options: { readonly trustDomain: string; readonly validForMs?: number },
): Promise<Authority> {
  const trustDomain = parseTrustDomain(options.trustDomain);
  if (isAuthority(directory)) {
    throw new PkiError('PKI_AUTHORITY_EXISTS', 'the directory holds an authority already');
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const nowMs = Date.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `O=Bailiwick, CN=${trustDomain}`,
      keys,
      signingAlgorithm: SIGNING,
      notBefore: new Date(nowMs - CLOCK_SKEW_MS),
      notAfter: new Date(nowMs + (options.validForMs ?? TEN_YEARS_MS)),
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        // SPIFFE X.509-SVID §3: an authority's URI is its trust domain, without a path.
        new x509.SubjectAlternativeNameExtension([
          { type: 'url', value: `spiffe://${trustDomain}` },
        ]),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  writeFileDurably(keyFile(directory), toPem('PRIVATE KEY', der), 0o600);
  // The certificate comes last: its presence says that the authority is whole.
  writeFileDurably(certFile(directory), `${certificate.toString('pem')}\n`, 0o644);
  return toAuthority({ certificate, privateKey: keys.privateKey }, trustDomain);
}

/**
 * Opens the authority of a directory.
 *
 * @throws {PkiError} `PKI_AUTHORITY_ABSENT`, `PKI_KEY_EXPOSED`, `PKI_CERTIFICATE_INVALID`
 */
export async function openAuthority(directory: string): Promise<Authority> {
  if (!isAuthority(directory)) {
    throw new PkiError('PKI_AUTHORITY_ABSENT', 'the directory holds no authority');
  }
  assertPrivate(keyFile(directory));
  try {
    const certificate = new x509.X509Certificate(readFileSync(certFile(directory), 'utf8'));
    const base64 = readFileSync(keyFile(directory), 'utf8').replaceAll(/-----[A-Z ]+-----|\s/g, '');
    const der = Buffer.from(base64, 'base64');
    const privateKey = await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign']);
    const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
    const uri = names.find(({ type }) => type === 'url')?.value ?? '';
    return toAuthority({ certificate, privateKey }, parseTrustDomain(uri.replace('spiffe://', '')));
  } catch (cause) {
    throw new PkiError('PKI_CERTIFICATE_INVALID', 'the authority cannot be read', { cause });
  }
}

function toAuthority(keys: AuthorityKeys, trustDomain: string): Authority {
  const bundle = `${keys.certificate.toString('pem')}\n`;
  return {
    trustDomain,
    bundle,
    async issueIdentity(files, request) {
      const issued = await issueLeaf(keys, trustDomain, request);
      // Key first: a reader that meets the new key with the old certificate sees that they differ and
      // keeps what it has until the next look.
      writeFileDurably(files.keyFile, issued.key, 0o600);
      writeFileDurably(files.bundleFile, bundle, 0o644);
      writeFileDurably(files.certFile, issued.certificate, 0o644);
    },
  };
}

function toNames(request: IdentityRequest, trustDomain: string): x509.JsonGeneralNames {
  const names: x509.JsonGeneralNames = [];
  if (request.spiffeId !== undefined) {
    const id = parseSpiffeId(request.spiffeId);
    if (toTrustDomain(id) !== trustDomain) {
      throw new PkiError('PKI_SPIFFE_ID_INVALID', 'the id belongs to another trust domain');
    }
    names.push({ type: 'url', value: id });
  }
  for (const value of request.dnsNames ?? []) names.push({ type: 'dns', value });
  for (const value of request.ipAddresses ?? []) names.push({ type: 'ip', value });
  if (names.length === 0) {
    throw new PkiError('PKI_SPIFFE_ID_INVALID', 'an identity has a spiffe id or a name');
  }
  return names;
}

async function issueLeaf(
  authority: AuthorityKeys,
  trustDomain: string,
  request: IdentityRequest,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const names = toNames(request, trustDomain);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const nowMs = Date.now();
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: 'O=Bailiwick',
      issuer: authority.certificate.subject,
      publicKey: keys.publicKey,
      signingKey: authority.privateKey,
      signingAlgorithm: SIGNING,
      notBefore: new Date(nowMs - CLOCK_SKEW_MS),
      notAfter: new Date(nowMs + (request.validForMs ?? IDENTITY_VALID_FOR_MS)),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.AuthorityKeyIdentifierExtension.create(authority.certificate, false, webcrypto),
      ],
    },
    webcrypto,
  );
  const der = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: `${certificate.toString('pem')}\n`, key: toPem('PRIVATE KEY', der) };
}
