// SPDX-License-Identifier: Apache-2.0
// An identity in files, followed while they change: certificates renew themselves without a restart.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { PkiError } from './errors.ts';
import { assertPrivate } from './files.ts';
import { followFile } from './follow-file.ts';
import type { SpiffeId } from './spiffe-id.ts';
import { parseSvid } from './svid.ts';

/** Where an identity lies: certificate chain, private key and trust bundle, all PEM. */
export interface IdentityFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly bundleFile: string;
}

/** A server certificate for public names; nothing is asked of the client. */
export type CertificateFiles = Pick<IdentityFiles, 'certFile' | 'keyFile'>;

/** Material as it stands in the files now. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/** Material that follows its files. */
export interface FollowedMaterial {
  current(): TlsMaterial;
  context(): SecureContext;
  /** Calls back after each change that could be read whole; gives the way to stop. */
  onChange(listener: (material: TlsMaterial) => void): () => void;
  close(): void;
}

/** A workload's own identity. */
export interface Identity extends FollowedMaterial {
  readonly spiffeId: SpiffeId;
}

/** How often the files are looked at. */
export const IDENTITY_POLL_MS = 1000;

export interface FollowOptions {
  readonly pollMs?: number;
  /** Told when changed files cannot be used; what was there before stays in use. */
  readonly onProblem?: (error: PkiError) => void;
}

/** Reads material and makes sure that key and certificate belong together. */
function readMaterial(files: CertificateFiles & Partial<IdentityFiles>): TlsMaterial {
  assertPrivate(files.keyFile);
  let material: TlsMaterial;
  let isPair: boolean;
  try {
    const cert = readFileSync(files.certFile, 'utf8');
    const key = readFileSync(files.keyFile, 'utf8');
    const ca = files.bundleFile === undefined ? undefined : readFileSync(files.bundleFile, 'utf8');
    material = { cert, key, ...(ca === undefined ? {} : { ca }) };
    isPair = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw new PkiError('PKI_IDENTITY_UNREADABLE', 'the identity cannot be read', { cause });
  }
  if (!isPair) throw new PkiError('PKI_IDENTITY_UNREADABLE', 'certificate and key do not match');
  return material;
}

function toContext(material: TlsMaterial): SecureContext {
  return createSecureContext({ ...material, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' });
}

/** Follows any TLS material; `accept` refuses a change by throwing. */
export function followMaterial(
  files: CertificateFiles & Partial<IdentityFiles>,
  options: FollowOptions & { readonly accept?: (material: TlsMaterial) => void } = {},
): FollowedMaterial {
  const { pollMs = IDENTITY_POLL_MS, onProblem, accept } = options;
  let material = readMaterial(files);
  accept?.(material);
  let context = toContext(material);
  const listeners = new Set<(material: TlsMaterial) => void>();
  const reload = (): void => {
    try {
      const next = readMaterial(files);
      if (next.cert === material.cert && next.key === material.key && next.ca === material.ca)
        return;
      accept?.(next);
      context = toContext(next);
      material = next;
    } catch (error) {
      const problem =
        error instanceof PkiError
          ? error
          : new PkiError('PKI_IDENTITY_UNREADABLE', 'the identity cannot be used', {
              cause: error,
            });
      onProblem?.(problem);
      return;
    }
    for (const listener of listeners) listener(material);
  };
  const watched = [files.certFile, files.keyFile, files.bundleFile].filter((f) => f !== undefined);
  const stops = watched.map((file) => followFile(file, { pollMs, onChange: reload }));
  return {
    current: () => material,
    context: () => context,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      for (const stop of stops) stop();
      listeners.clear();
    },
  };
}

/**
 * Opens a workload's identity and follows its files. The id must stay what it was at the start.
 *
 * @throws {PkiError} `PKI_IDENTITY_UNREADABLE`, `PKI_KEY_EXPOSED`, `PKI_CERTIFICATE_INVALID`
 */
export function openIdentity(files: IdentityFiles, options: FollowOptions = {}): Identity {
  let spiffeId: SpiffeId | undefined;
  const accept = ({ cert }: TlsMaterial): void => {
    const found = parseSvid(new X509Certificate(cert).raw, Date.now());
    if (spiffeId !== undefined && found !== spiffeId) {
      throw new PkiError('PKI_CERTIFICATE_INVALID', 'the renewed certificate names somebody else');
    }
    spiffeId = found;
  };
  const followed = followMaterial(files, { ...options, accept });
  if (spiffeId === undefined) throw new PkiError('PKI_CERTIFICATE_INVALID', 'no spiffe id');
  return { ...followed, spiffeId };
}
