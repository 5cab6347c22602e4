// SPDX-License-Identifier: Apache-2.0
// What a leaf certificate must be to count as a workload's identity (SPIFFE X.509-SVID). The chain to
// the trust bundle is TLS's own check; this is what TLS does not look at.
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { PkiError } from './errors.ts';
import { parseSpiffeId, type SpiffeId } from './spiffe-id.ts';

function refuse(problem: string): never {
  throw new PkiError('PKI_CERTIFICATE_INVALID', `not an x509-svid: ${problem}`);
}

/** The one URI in a certificate's subject alternative names. */
function findUris(certificate: x509.X509Certificate): readonly string[] {
  const extensions = certificate.extensions.filter(({ type }) => type === '2.5.29.17');
  if (extensions.length > 1) refuse('more than one list of alternative names');
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return names.filter(({ type }) => type === 'url').map(({ value }) => value);
}

/**
 * Reads the workload's id out of a leaf certificate. `der` is attacker-controlled until the chain was
 * verified, which is the caller's duty.
 *
 * @throws {PkiError} `PKI_CERTIFICATE_INVALID`, `PKI_SPIFFE_ID_INVALID`
 * @see SPIFFE X.509-SVID §2 (one URI), §4.1 (not an authority), §4.3 (key usage)
 */
export function parseSvid(der: Uint8Array, nowMs: number): SpiffeId {
  let certificate: x509.X509Certificate;
  try {
    certificate = new x509.X509Certificate(Uint8Array.from(der));
  } catch (cause) {
    throw new PkiError('PKI_CERTIFICATE_INVALID', 'not an x.509 certificate', { cause });
  }
  const uris = findUris(certificate);
  if (uris.length !== 1) refuse('expected exactly one uri among the alternative names');
  if (certificate.getExtension(x509.BasicConstraintsExtension)?.ca === true) {
    refuse('a leaf is not an authority');
  }
  const usages = certificate.getExtension(x509.KeyUsagesExtension)?.usages;
  if (usages === undefined) refuse('expected key usages');
  if ((usages & x509.KeyUsageFlags.digitalSignature) === 0) refuse('expected digital signature');
  const forbidden = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  if ((usages & forbidden) !== 0) refuse('a leaf signs no certificates');
  if (nowMs < certificate.notBefore.getTime()) refuse('not valid yet');
  if (nowMs >= certificate.notAfter.getTime()) refuse('expired');
  return parseSpiffeId(uris[0] ?? '');
}

/** When a certificate (PEM) starts and ends, in milliseconds since 1970. */
export function parseValidity(pem: string): { readonly fromMs: number; readonly untilMs: number } {
  try {
    const { validFrom, validTo } = new X509Certificate(pem);
    return { fromMs: Date.parse(validFrom), untilMs: Date.parse(validTo) };
  } catch (cause) {
    throw new PkiError('PKI_CERTIFICATE_INVALID', 'not an x.509 certificate', { cause });
  }
}
