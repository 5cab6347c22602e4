// SPDX-License-Identifier: Apache-2.0
// Who is who in the demonstration: one authority, an identity per process, the keys that sign bundles,
// ledgers and approvals. Made once; later starts find them.
import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  type Authority,
  createAuthority,
  type IdentityFiles,
  isAuthority,
  openAuthority,
  type RenewedIdentity,
  renewDue,
} from '@bailiwick/pki';
import { type Layout, TRUST_DOMAIN } from './layout.ts';

/** Files of one process's identity. */
export function toIdentityFiles(directory: string, name = 'identity'): IdentityFiles {
  const at = (file: string): string => path.join(directory, 'identity', file);
  return {
    certFile: at(`${name}.pem`),
    keyFile: at(`${name}.key`),
    bundleFile: at('authority.pem'),
  };
}

/** All identities of a demonstration, with what each is for. */
export function listIdentities(layout: Layout): readonly RenewedIdentity[] {
  const { control, router, operator, cells } = layout;
  return [
    { files: toIdentityFiles(control.directory), request: { spiffeId: control.spiffeId } },
    { files: toIdentityFiles(router.directory), request: { spiffeId: router.spiffeId } },
    {
      files: toIdentityFiles(router.directory, 'public'),
      request: { dnsNames: [router.name] },
    },
    { files: toIdentityFiles(operator.directory), request: { spiffeId: operator.spiffeId } },
    ...cells.flatMap((cell) => [
      { files: toIdentityFiles(cell.directory), request: { spiffeId: cell.spiffeId } },
      {
        files: toIdentityFiles(cell.directory, 'key-service'),
        request: { spiffeId: cell.keyServiceSpiffeId },
      },
      // SECURITY: a certificate and key per name, no wildcard: a cell cannot pass for another.
      { files: toIdentityFiles(cell.directory, 'public'), request: { dnsNames: [cell.name] } },
    ]),
  ];
}

/** Makes or opens the authority and brings every identity up to date. */
export async function prepareIdentities(layout: Layout): Promise<Authority> {
  const authority = isAuthority(layout.authority)
    ? await openAuthority(layout.authority)
    : await createAuthority(layout.authority, { trustDomain: TRUST_DOMAIN });
  await renewDue(authority, listIdentities(layout), Date.now());
  return authority;
}

/** Makes an Ed25519 key in a file of its own (mode 0600) unless it is there; gives its public half. */
export function prepareSigningKey(file: string): string {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeSecret(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  }
  return file;
}

/** Makes an RSA key in a file of its own (mode 0600) unless it is there: what most identity providers have. */
export function prepareIssuerKey(file: string): void {
  if (existsSync(file)) return;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeSecret(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
}

/** Standard base64 of the 32 bytes of an Ed25519 public key. */
export function toPublicKeyText(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64');
}

/** Writes a secret once; a file that is there stays as it is. Gives what is in the file. */
export function prepareSecret(file: string, make: () => string = makePassword): string {
  if (!existsSync(file)) writeSecret(file, make());
  return readFileSync(file, 'utf8').trim();
}

const makePassword = (): string => randomBytes(24).toString('base64url');

/** Writes a file only its owner can read. */
export function writeSecret(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${text.trimEnd()}\n`, { mode: 0o600 });
}
