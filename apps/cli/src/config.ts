// SPDX-License-Identifier: Apache-2.0
// The client's configuration: where the directory is, which tenants and accounts this person has. Order:
// flag, BAILIWICK_…, file, default. Keys stay in files of their own; none is ever in here.
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parse } from 'yaml';
import { CliError } from './errors.ts';
import type { GlobalOptions } from './globals.ts';

/** A value and who said so. */
export interface Sourced<T> {
  readonly value: T;
  readonly origin: string;
}

export interface ConfiguredTenant {
  readonly name: string;
  readonly id: string;
  readonly residencies: readonly string[];
}

export interface ConfiguredAccount {
  readonly name: string;
  readonly tenant: string;
  readonly keyFile: string;
  /** Id of the account at each residency's cell. */
  readonly ids: Readonly<Record<string, string>>;
}

export interface ConfiguredCell {
  readonly cell: string;
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly internal: { readonly host: string; readonly port: number; readonly spiffeId: string };
  /** Public key of the cell's checkpoints: a C2SP verifier key. */
  readonly ledgerKey?: string;
}

export interface ClientConfig {
  readonly file: string;
  readonly tenant: Sourced<ConfiguredTenant>;
  readonly account: Sourced<ConfiguredAccount>;
  readonly purpose: Sourced<string | undefined>;
  readonly tenants: readonly ConfiguredTenant[];
  readonly accounts: readonly ConfiguredAccount[];
  readonly caFile?: string;
  readonly directory?: {
    /** The cell where accounts sign in first. */
    readonly first: {
      readonly residency: string;
      readonly name: string;
      readonly host: string;
      readonly port: number;
    };
    readonly router: { readonly name: string; readonly host: string; readonly port: number };
    readonly keys: readonly string[];
  };
  readonly cells: Readonly<Record<string, ConfiguredCell>>;
  readonly control?: { readonly host: string; readonly port: number; readonly spiffeId: string };
  readonly operator?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly bundleFile: string;
  };
}

/** The file as it stands: what `bailiwick demo` writes and a person may edit. */
export interface ClientFile {
  readonly tenant?: string;
  readonly account?: string;
  readonly purpose?: string;
  readonly tenants?: Readonly<
    Record<string, { readonly id: string; readonly residencies: readonly string[] }>
  >;
  readonly accounts?: Readonly<Record<string, Omit<ConfiguredAccount, 'name'>>>;
  readonly caFile?: string;
  readonly directory?: ClientConfig['directory'];
  readonly cells?: ClientConfig['cells'];
  readonly control?: ClientConfig['control'];
  readonly operator?: ClientConfig['operator'];
}

const KEYS = new Set([
  'tenant',
  'account',
  'purpose',
  'tenants',
  'accounts',
  'caFile',
  'directory',
  'cells',
  'control',
  'operator',
]);

/** State directory of the demo of this checkout. */
export function toStateDirectory(globals: GlobalOptions): string {
  const stated = globals.state ?? process.env['BAILIWICK_STATE'];
  return path.resolve(stated ?? path.join(import.meta.dirname, '../../../.bailiwick'));
}

/** Where the configuration is looked for, in order, and who says so. */
export function findConfigFile(globals: GlobalOptions): Sourced<string> {
  if (globals.config !== undefined) return { value: globals.config, origin: 'flag --config' };
  const stated = process.env['BAILIWICK_CONFIG'];
  if (stated !== undefined) return { value: stated, origin: 'BAILIWICK_CONFIG' };
  const demo = path.join(toStateDirectory(globals), 'client.yaml');
  if (globals.state !== undefined) return { value: demo, origin: 'flag --state' };
  const home = process.env['XDG_CONFIG_HOME'] ?? path.join(homedir(), '.config');
  const own = path.join(home, 'bailiwick', 'config.yaml');
  if (existsSync(own)) return { value: own, origin: 'XDG_CONFIG_HOME' };
  return { value: demo, origin: 'the demo of this checkout' };
}

/**
 * Reads the configuration.
 *
 * @throws {CliError} `CLI_CONFIG_ABSENT` without a file, `CLI_CONFIG_INVALID` for what is wrong in it.
 */
export function loadConfig(globals: GlobalOptions): ClientConfig {
  const { value: file } = findConfigFile(globals);
  if (!existsSync(file)) {
    throw new CliError('CLI_CONFIG_ABSENT', `there is no client configuration at \`${file}\``, {
      hint: 'start the demo with `npm start`, or name a file with `--config`',
    });
  }
  return toConfig(parseClientFile(readFileSync(file, 'utf8')), { file, globals });
}

/** Reads the file's shape. @throws {CliError} `CLI_CONFIG_INVALID` */
export function parseClientFile(text: string): ClientFile {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw new CliError('CLI_CONFIG_INVALID', 'the client configuration is not YAML', {
      cause: error,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CliError('CLI_CONFIG_INVALID', 'the client configuration is not a mapping');
  }
  const unknown = Object.keys(value).find((key) => !KEYS.has(key));
  if (unknown !== undefined) {
    throw new CliError(
      'CLI_CONFIG_INVALID',
      `the client configuration has an unknown key \`${unknown}\``,
      {
        hint: `known are ${[...KEYS].join(', ')}`,
      },
    );
  }
  return value as ClientFile;
}

function toConfig(
  parsed: ClientFile,
  { file, globals }: { readonly file: string; readonly globals: GlobalOptions },
): ClientConfig {
  const at = (name: string): string => path.resolve(path.dirname(file), name);
  const tenants = Object.entries(parsed.tenants ?? {}).map(([name, tenant]) => ({
    name,
    ...tenant,
  }));
  const accounts = Object.entries(parsed.accounts ?? {}).map(([name, account]) => ({
    name,
    ...account,
    keyFile: at(account.keyFile),
  }));
  const account = choose(accounts, {
    what: 'account',
    stated: pick(globals.account, 'account', parsed.account),
    matches: (one, text) => one.name === text,
  });
  const tenant = choose(tenants, {
    what: 'tenant',
    stated: pick(globals.tenant, 'tenant', parsed.tenant ?? account.value.tenant),
    matches: (one, text) => one.name === text || one.id === text,
  });
  const { directory, control, operator, caFile } = parsed;
  return {
    file,
    tenant,
    account,
    purpose: pick(globals.purpose, 'purpose', parsed.purpose),
    tenants,
    accounts,
    cells: parsed.cells ?? {},
    ...(caFile === undefined ? {} : { caFile: at(caFile) }),
    ...(directory === undefined ? {} : { directory }),
    ...(control === undefined ? {} : { control }),
    ...(operator === undefined
      ? {}
      : {
          operator: {
            certFile: at(operator.certFile),
            keyFile: at(operator.keyFile),
            bundleFile: at(operator.bundleFile),
          },
        }),
  };
}

/** Flag, then environment, then file. */
function pick(
  flag: string | undefined,
  name: string,
  inFile: string | undefined,
): Sourced<string | undefined> {
  if (flag !== undefined) return { value: flag, origin: `flag --${name}` };
  const variable = `BAILIWICK_${name.toUpperCase()}`;
  const stated = process.env[variable];
  if (stated !== undefined) return { value: stated, origin: variable };
  return { value: inFile, origin: inFile === undefined ? 'default' : 'file' };
}

function choose<T extends { readonly name: string }>(
  all: readonly T[],
  options: {
    readonly what: string;
    readonly stated: Sourced<string | undefined>;
    readonly matches: (one: T, text: string) => boolean;
  },
): Sourced<T> {
  const { value: text, origin } = options.stated;
  const found = text === undefined ? all[0] : all.find((one) => options.matches(one, text));
  if (found !== undefined) return { value: found, origin: text === undefined ? 'default' : origin };
  throw new CliError(
    'CLI_CONFIG_INVALID',
    text === undefined
      ? `the client configuration has no ${options.what}`
      : `the client configuration has no ${options.what} \`${text}\``,
    { hint: `known are ${all.map((one) => one.name).join(', ') || 'none'}` },
  );
}
