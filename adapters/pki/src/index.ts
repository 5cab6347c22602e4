// SPDX-License-Identifier: Apache-2.0
export {
  type Authority,
  createAuthority,
  IDENTITY_VALID_FOR_MS,
  type IdentityRequest,
  isAuthority,
  openAuthority,
} from './authority.ts';
export { PkiError, type PkiErrorCode } from './errors.ts';
export {
  type CertificateFiles,
  type FollowedMaterial,
  type FollowOptions,
  followMaterial,
  type Identity,
  type IdentityFiles,
  openIdentity,
  type TlsMaterial,
} from './identity.ts';
export {
  createMtlsConnector,
  createMtlsServer,
  type MtlsConnector,
  type MtlsServerRules,
  mtlsClientOptions,
  mtlsServerOptions,
  peerOf,
  type ServerFactory,
  tlsServerOptions,
} from './mtls.ts';
export { isRenewalDue, type RenewedIdentity, renewDue, renewWhenDue } from './renewal.ts';
export { parseSpiffeId, parseTrustDomain, type SpiffeId, toTrustDomain } from './spiffe-id.ts';
export { parseSvid, parseValidity } from './svid.ts';
