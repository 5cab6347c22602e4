// SPDX-License-Identifier: Apache-2.0
// TLS to a customer's proxy: its certificate must fit its name and, where given, its pinned key. Our own
// certificate is read anew for each connection, so that it renews without a restart.
import { createHash, timingSafeEqual, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { checkServerIdentity, connect } from 'node:tls';

export interface ProxyTlsOptions {
  /** Certificate authorities of the proxy; the system's when left out. */
  readonly caFile?: string;
  /** SHA-256 of the proxy's public key (SPKI), base64. When given, one must match. */
  readonly pins?: readonly string[];
  /** Own certificate and key, PEM, for mTLS. */
  readonly certFile?: string;
  readonly keyFile?: string;
  /** Name that the certificate must have; the URL's host otherwise. */
  readonly serverName?: string;
}

export type Connector = (
  target: { readonly hostname: string; readonly port: string },
  callback: (...args: [null, Socket] | [Error, null]) => void,
) => void;

/** SHA-256 of a certificate's public key, base64: what is pinned. */
export function toPin(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(spki).digest('base64');
}

function isPinned(raw: Buffer, pins: readonly string[]): boolean {
  const found = Buffer.from(toPin(new X509Certificate(raw)), 'latin1');
  return pins.some((pin) => {
    const wanted = Buffer.from(pin, 'latin1');
    return wanted.length === found.length && timingSafeEqual(wanted, found);
  });
}

/** A connector for undici's `Agent`. */
export function createConnector(options: ProxyTlsOptions, timeoutMs: number): Connector {
  const { caFile, pins, certFile, keyFile, serverName } = options;
  const read = (file: string | undefined): Buffer | undefined =>
    file === undefined ? undefined : readFileSync(file);
  return (target, callback) => {
    let isSettled = false;
    const settle = (...result: [null, Socket] | [Error, null]): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      callback(...result);
    };
    let socket: Socket | undefined;
    const timer = setTimeout(() => {
      socket?.destroy();
      settle(new Error('no handshake in time'), null);
    }, timeoutMs);
    try {
      const opened = connect({
        host: target.hostname,
        port: Number(target.port === '' ? 443 : target.port),
        servername: serverName ?? target.hostname,
        ca: read(caFile),
        cert: read(certFile),
        key: read(keyFile),
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        rejectUnauthorized: true,
        checkServerIdentity(host, certificate) {
          const wrong = checkServerIdentity(host, certificate);
          if (wrong !== undefined) return wrong;
          // SECURITY: an authority that signs for somebody else does not become the proxy.
          if (pins === undefined || isPinned(certificate.raw, pins)) return undefined;
          return new Error('key of the proxy is not the pinned one');
        },
      });
      socket = opened;
      opened.setNoDelay(true);
      opened.once('secureConnect', () => settle(null, opened));
      opened.once('error', (error) => settle(error, null));
      opened.once('close', () => settle(new Error('connection closed'), null));
    } catch (error) {
      settle(error instanceof Error ? error : new Error('cannot connect'), null);
    }
  };
}
