// SPDX-License-Identifier: Apache-2.0
// TLS 1.3 on both sides with SPIFFE identities. Names and addresses play no part in who is trusted:
// only the id in the certificate, and whether its chain ends in the trust bundle.
import type { X509Certificate } from 'node:crypto';
import { constants } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket, type TlsOptions } from 'node:tls';
import { PkiError } from './errors.ts';
import {
  type CertificateFiles,
  type FollowedMaterial,
  followMaterial,
  type Identity,
  type IdentityFiles,
  openIdentity,
} from './identity.ts';
import { parseSpiffeId, type SpiffeId, toTrustDomain } from './spiffe-id.ts';
import { parseSvid } from './svid.ts';

/** Longest time for a handshake. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

const TLS_1_3 = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const;

/** Makes Fastify's server: `Fastify({ serverFactory })`. */
export type ServerFactory = (handler: RequestListener) => Server;

export interface MtlsServerRules {
  /** Who may connect at all; routes may ask for more with `peerOf`. */
  readonly allow: (spiffeId: SpiffeId) => boolean;
}

const isIdentity = (from: IdentityFiles | Identity): from is Identity => 'spiffeId' in from;

const peers = new WeakMap<object, SpiffeId>();

/**
 * The verified id of the other side of a connection made by this module.
 *
 * @throws {PkiError} `PKI_PEER_REFUSED` for a socket that this module did not verify.
 */
export function peerOf(socket: Socket): SpiffeId {
  const peer = peers.get(socket);
  if (peer === undefined)
    throw new PkiError('PKI_PEER_REFUSED', 'the peer has no verified identity');
  return peer;
}

/** Verifies the leaf of a chain that TLS has accepted. Throws unless it is of the own trust domain. */
function verifyPeer(certificate: X509Certificate | undefined, own: SpiffeId): SpiffeId {
  if (certificate === undefined)
    throw new PkiError('PKI_PEER_REFUSED', 'the peer has no certificate');
  const id = parseSvid(certificate.raw, Date.now());
  // SECURITY: a bundle speaks for its own trust domain only (SPIFFE X.509-SVID §5.2).
  if (toTrustDomain(id) !== toTrustDomain(own)) {
    throw new PkiError('PKI_PEER_REFUSED', 'the peer is of another trust domain');
  }
  return id;
}

function followServer(server: Server, followed: FollowedMaterial, options: TlsOptions): Server {
  const stop = followed.onChange((material) =>
    server.setSecureContext({ ...options, ...material }),
  );
  server.on('close', stop);
  // A handshake that fails is the client's trouble; without this the socket would linger.
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

/**
 * An HTTPS server that speaks only to the identities that `allow` accepts. A refused peer's connection
 * is cut before a byte of its request is read.
 *
 * @throws {PkiError} `PKI_IDENTITY_UNREADABLE` and the like
 */
export function createMtlsServer(
  from: IdentityFiles | Identity,
  rules: MtlsServerRules,
  handler: RequestListener,
): Server {
  const identity = isIdentity(from) ? from : openIdentity(from);
  const options: TlsOptions = {
    ...TLS_1_3,
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    // SECURITY: no resumption: each connection shows its certificate, so an expired one ends here.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
  const server = createServer({ ...options, ...identity.current() });
  // SECURITY: this listener comes before HTTP's own, so the id is checked before a request is parsed.
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    try {
      const peer = verifyPeer(socket.getPeerX509Certificate(), identity.spiffeId);
      if (!rules.allow(peer)) throw new PkiError('PKI_PEER_REFUSED', 'the peer is not allowed');
      peers.set(socket, peer);
    } catch {
      socket.destroy();
    }
  });
  server.on('request', (request, response) => {
    if (peers.has(request.socket)) handler(request, response);
    else request.socket.destroy();
  });
  if (!isIdentity(from)) server.on('close', () => identity.close());
  return followServer(server, identity, options);
}

/** Options that make a Fastify server speak mTLS: `Fastify(mtlsServerOptions(files, { allow }))`. */
export function mtlsServerOptions(
  from: IdentityFiles | Identity,
  rules: MtlsServerRules,
): { readonly serverFactory: ServerFactory } {
  return { serverFactory: (handler) => createMtlsServer(from, rules, handler) };
}

/** Options of a public Fastify server: TLS 1.3, own certificate, followed while it renews. */
export function tlsServerOptions(files: CertificateFiles): {
  readonly serverFactory: ServerFactory;
} {
  return {
    serverFactory(handler) {
      const followed = followMaterial(files);
      const options: TlsOptions = { ...TLS_1_3, handshakeTimeout: HANDSHAKE_TIMEOUT_MS };
      const server = createServer({ ...options, ...followed.current() }, handler);
      server.on('close', () => followed.close());
      return followServer(server, followed, options);
    },
  };
}

/**
 * Options of a TLS client that speaks only to `expect`: for `tls.connect` and `https.request`. They
 * follow the files: spread them anew for each connection.
 *
 * @throws {PkiError} `PKI_IDENTITY_UNREADABLE`, `PKI_SPIFFE_ID_INVALID`
 */
export function mtlsClientOptions(
  from: IdentityFiles | Identity,
  options: { readonly expect: string },
): ConnectionOptions {
  const identity = isIdentity(from) ? from : openIdentity(from);
  const expected = parseSpiffeId(options.expect);
  return {
    ...TLS_1_3,
    rejectUnauthorized: true,
    get secureContext() {
      return identity.context();
    },
    checkServerIdentity(_host, certificate) {
      try {
        const id = parseSvid(certificate.raw, Date.now());
        if (id === expected) return undefined;
        return new PkiError('PKI_PEER_REFUSED', `expected the peer to be \`${expected}\``);
      } catch (error) {
        return error instanceof Error ? error : new PkiError('PKI_PEER_REFUSED', 'unreadable peer');
      }
    },
  };
}

/** A connector for undici: `new Agent({ connect: createMtlsConnector(identity, { expect }) })`. */
export type MtlsConnector = (
  target: { readonly hostname: string; readonly port: string },
  callback: (...args: [null, Socket] | [Error, null]) => void,
) => void;

/**
 * Connects with the identity as it is at that moment, so that a long-lived agent follows renewals.
 *
 * @throws {PkiError} `PKI_IDENTITY_UNREADABLE`, `PKI_SPIFFE_ID_INVALID`
 */
export function createMtlsConnector(
  from: IdentityFiles | Identity,
  options: { readonly expect: string; readonly timeoutMs?: number },
): MtlsConnector {
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS } = options;
  const identity = isIdentity(from) ? from : openIdentity(from);
  const clientOptions = mtlsClientOptions(identity, options);
  return (target, callback) => {
    const socket = connect({
      ...clientOptions,
      host: target.hostname,
      port: Number(target.port === '' ? 443 : target.port),
      ALPNProtocols: ['http/1.1'],
    });
    socket.setNoDelay(true);
    let isSettled = false;
    const settle = (...result: [null, Socket] | [Error, null]): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (result[0] !== null) socket.destroy();
      callback(...result);
    };
    const timer = setTimeout(() => {
      settle(new PkiError('PKI_PEER_REFUSED', 'no handshake in time'), null);
    }, timeoutMs);
    socket.once('secureConnect', () => settle(null, socket));
    socket.once('error', (error) => settle(error, null));
    socket.once('close', () => settle(new PkiError('PKI_PEER_REFUSED', 'connection closed'), null));
  };
}
