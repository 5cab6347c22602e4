// SPDX-License-Identifier: Apache-2.0
// Who may connect. TLS has checked the chain to the configured authority; this checks who it is.
import type { X509Certificate } from 'node:crypto';
import { toPin } from '@bailiwick/xks';
import type { ClientConfig } from './config.ts';

/** Several common names are none. */
function readCommonName(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject;
  return typeof CN === 'string' ? CN : undefined;
}

function readUris(certificate: X509Certificate): readonly string[] {
  const names = certificate.subjectAltName ?? '';
  return names
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length));
}

/** A word for the log: the first of URI, common name and pin that there is. */
export function nameClient(certificate: X509Certificate): string {
  return readUris(certificate)[0] ?? readCommonName(certificate) ?? toPin(certificate);
}

/** True when one of `allow` fits in all that it names. */
export function isAllowed(certificate: X509Certificate, allow: readonly ClientConfig[]): boolean {
  const commonName = readCommonName(certificate);
  const uris = readUris(certificate);
  const pin = toPin(certificate);
  return allow.some(
    (client) =>
      (client.commonName === undefined || client.commonName === commonName) &&
      (client.uri === undefined || uris.includes(client.uri)) &&
      (client.pin === undefined || client.pin === pin),
  );
}
