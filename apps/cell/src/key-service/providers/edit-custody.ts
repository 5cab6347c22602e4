// SPDX-License-Identifier: Apache-2.0
// Changes to a tenant's custody file, made on the key service's machine by whoever operates it. Nothing in
// the file takes effect on a key that lies elsewhere: moving one is a request that two people sign.
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CustodyConfig, KeyApprover, KeyProviderConfig } from '@bailiwick/contracts';
import type { TenantId } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';
import { parse, stringify } from 'yaml';
import { parseCustodyText } from './custody-files.ts';

export type TenantProvider = KeyProviderConfig & { readonly withPlaceKey?: boolean };

/** What a customer's proxy says of itself (`enrolment.json`); untrusted until it has answered. */
export interface Enrolment {
  readonly url: string;
  readonly uriPathPrefix: string;
  readonly accessKeyId: string;
  readonly externalKeyId: string;
  readonly pin: string;
  /** Its certificate, PEM. */
  readonly ca: string;
}

function misconfigured(problem: string): KeysError {
  return new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem);
}

/** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` */
export function parseEnrolment(text: string): Enrolment {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw misconfigured('enrolment is not JSON');
  }
  if (typeof value !== 'object' || value === null) throw misconfigured('enrolment is no object');
  const found: object = value;
  const read = (name: keyof Enrolment): string => {
    const item: unknown = Reflect.get(found, name);
    if (typeof item === 'string' && item.length <= 16_384) return item;
    throw misconfigured(`enrolment has no \`${name}\``);
  };
  return {
    url: read('url'),
    uriPathPrefix: read('uriPathPrefix'),
    accessKeyId: read('accessKeyId'),
    externalKeyId: read('externalKeyId'),
    pin: read('pin'),
    ca: read('ca'),
  };
}

const fileOf = (directory: string, tenantId: TenantId): string =>
  path.join(directory, `${tenantId}.yaml`);

type Tree = { providers: Record<string, unknown>; home?: string; approvers: unknown[] };

function readTree(directory: string, tenantId: TenantId): Tree {
  const file = fileOf(directory, tenantId);
  if (!existsSync(file)) return { providers: {}, approvers: [] };
  const text = readFileSync(file, 'utf8');
  parseCustodyText(text, directory);
  const tree = parse(text) as Partial<Tree>;
  return { ...tree, providers: tree.providers ?? {}, approvers: tree.approvers ?? [] };
}

/** Writes beside, checks as the key service would, then renames. */
function writeTree(directory: string, tenantId: TenantId, tree: Tree): CustodyConfig {
  const text = `# Custody file: whose keys these are, where they lie, who signs for them\n${stringify(tree)}`;
  const config = parseCustodyText(text, directory);
  const file = fileOf(directory, tenantId);
  const beside = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(beside, text, { mode: 0o600, flag: 'wx' });
  renameSync(beside, file);
  return config;
}

/** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` when a provider has this name */
export function assertNameFree(
  { directory, tenantId }: { readonly directory: string; readonly tenantId: TenantId },
  name: string,
): void {
  // SECURITY: a name keeps its meaning: wraps made under it would belong to somebody else.
  if (!Object.hasOwn(readTree(directory, tenantId).providers, name)) return;
  throw misconfigured('a provider has this name already');
}

/** Adds a provider under a new name. @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` */
export function addProvider(
  place: { readonly directory: string; readonly tenantId: TenantId },
  added: { readonly name: string; readonly provider: TenantProvider; readonly isHome: boolean },
): CustodyConfig {
  const { directory, tenantId } = place;
  assertNameFree(place, added.name);
  const tree = readTree(directory, tenantId);
  // SECURITY: a name keeps its meaning: wraps made under it would belong to somebody else.
  if (Object.hasOwn(tree.providers, added.name))
    throw misconfigured('a provider has this name already');
  tree.providers[added.name] = added.provider;
  if (added.isHome) tree.home = added.name;
  return writeTree(directory, tenantId, tree);
}

/** Pins one more approver. @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` */
export function addApprover(
  place: { readonly directory: string; readonly tenantId: TenantId },
  approver: KeyApprover,
): CustodyConfig {
  const { directory, tenantId } = place;
  const tree = readTree(directory, tenantId);
  tree.approvers = [...tree.approvers, approver];
  return writeTree(directory, tenantId, tree);
}

/** Puts what a customer's proxy was enrolled with beside the custody file, private to this account. */
export function storeEnrolment(
  place: { readonly directory: string; readonly tenantId: TenantId },
  given: { readonly name: string; readonly enrolment: Enrolment; readonly secret: Buffer },
): TenantProvider {
  const { directory, tenantId } = place;
  const { name, enrolment, secret } = given;
  // A name of its own: what an enrolment that failed leaves behind is in nobody's way.
  const base = `${tenantId}.${name}.${randomBytes(4).toString('hex')}`;
  const write = (suffix: string, bytes: Buffer | string): string => {
    const file = `${base}.${suffix}`;
    writeFileSync(path.join(directory, file), bytes, { mode: 0o600, flag: 'wx' });
    return file;
  };
  return {
    kind: 'xks',
    url: enrolment.url,
    ...(enrolment.uriPathPrefix === '' ? {} : { uriPathPrefix: enrolment.uriPathPrefix }),
    accessKeyId: enrolment.accessKeyId,
    secretFile: write('secret', secret),
    caFile: write('ca.pem', enrolment.ca),
    pins: [enrolment.pin],
    keyName: enrolment.externalKeyId,
  };
}
