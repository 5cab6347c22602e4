// SPDX-License-Identifier: Apache-2.0
// Tenants' custody files, read when needed and again when they change. SECURITY: they lie beside the key
// service and nowhere in a database: who can write rows can name neither a provider nor an approver.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import {
  ContractError,
  type CustodyConfig,
  CustodyConfigSchema,
  type KeyProviderConfig,
  parseCustodyConfig,
} from '@bailiwick/contracts';
import { parseTenantId, type TenantId } from '@bailiwick/kernel';
import { KeysError } from '@bailiwick/keys';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';

const FILE_SIZE_BYTES_MAX = 65_536;
const PATH_KEYS = /^(?:file|directory|[a-z]+File)$/;
const NAME = /^(?=.{1,63}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const NOTHING: CustodyConfig = { providers: {}, approvers: [] };
/** The cell's own provider; no custody file can name one so. */
export const CELL_PROVIDER = 'cell';

interface Known {
  readonly stamp: string;
  readonly config: CustodyConfig;
}

function misconfigured(problem: string): KeysError {
  return new KeysError('KEYS_PROVIDER_MISCONFIGURED', problem);
}

function resolvePaths(provider: KeyProviderConfig, base: string): KeyProviderConfig {
  const resolve = (value: unknown, key: string): unknown => {
    if (typeof value === 'string' && PATH_KEYS.test(key)) return path.resolve(base, value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, one]) => [name, resolve(one, name)]),
    );
  };
  return resolve(provider, '') as KeyProviderConfig;
}

/** SECURITY: an approver named by somebody else is nobody's approver. */
function assertOwn({ mode, uid }: { readonly mode: number; readonly uid: number }): void {
  const own = process.getuid?.();
  if ((mode & 0o022) !== 0 || (own !== undefined && uid !== own && uid !== 0)) {
    throw misconfigured('custody file must be writable by its owner only');
  }
}

/**
 * Reads a custody file's text.
 *
 * @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED`
 */
export function parseCustodyText(text: string, base: string): CustodyConfig {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) throw misconfigured('custody file is not valid YAML');
  const tree: unknown = document.toJS({ maxAliasCount: 0 });
  let config: CustodyConfig;
  try {
    config = parseCustodyConfig(Value.Default(CustodyConfigSchema, tree));
  } catch (error) {
    if (!(error instanceof ContractError)) throw error;
    throw misconfigured(error.message);
  }
  const { providers, home, approvers } = config;
  if (Object.hasOwn(providers, CELL_PROVIDER))
    throw misconfigured('`cell` is the cell’s own provider');
  if (!Object.keys(providers).every((name) => NAME.test(name))) {
    throw misconfigured('name of a provider must be words of a–z and 0–9 with `-` between');
  }
  if (home !== undefined && home !== CELL_PROVIDER && !Object.hasOwn(providers, home)) {
    throw misconfigured('`home` names no provider of the custody file');
  }
  const names = new Set(approvers.map(({ name }) => name));
  const keys = new Set(approvers.map(({ key }) => key));
  // INVARIANT: two signatures are two people's: no name and no key stands here twice.
  if (names.size !== approvers.length || keys.size !== approvers.length) {
    throw misconfigured('an approver or a key is there twice');
  }
  const resolved = Object.entries(providers).map(([name, provider]) => [
    name,
    resolvePaths(provider, base),
  ]);
  return { ...config, providers: Object.fromEntries(resolved) };
}

/** The custody files of a cell. */
export class CustodyFiles {
  readonly #directory: string | undefined;
  readonly #known = new Map<TenantId, Known>();

  /** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` when the directory is not there */
  constructor(directory: string | undefined) {
    this.#directory = directory;
    if (directory === undefined) return;
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
      throw misconfigured('directory of custody files must exist');
    }
  }

  /** @throws {KeysError} `KEYS_PROVIDER_MISCONFIGURED` */
  of(tenantId: TenantId): CustodyConfig {
    if (this.#directory === undefined) return NOTHING;
    const file = path.join(this.#directory, `${parseTenantId(tenantId)}.yaml`);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) {
      this.#known.delete(tenantId);
      return NOTHING;
    }
    const stamp = `${found.ino}:${found.size}:${found.mtimeMs}`;
    const known = this.#known.get(tenantId);
    if (known?.stamp === stamp) return known.config;
    assertOwn(found);
    if (found.size > FILE_SIZE_BYTES_MAX) throw misconfigured('custody file is too large');
    const config = parseCustodyText(readFileSync(file, 'utf8'), this.#directory);
    this.#known.set(tenantId, { stamp, config });
    return config;
  }
}
