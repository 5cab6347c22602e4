// SPDX-License-Identifier: Apache-2.0
// Reads `key-proxy.yaml`. Relative paths are relative to the file; unknown keys are errors.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { KeyProxyError } from './errors.ts';
import { CONFIG_SIZE_BYTES_MAX } from './limits.ts';

const closed = { additionalProperties: false } as const;
const Text = Type.String({ minLength: 1, maxLength: 2048 });

/** Who may connect: each given property must fit. */
const Client = Type.Object(
  {
    commonName: Type.Optional(Text),
    /** A URI of the certificate, such as a SPIFFE id. */
    uri: Type.Optional(Text),
    /** SHA-256 of the certificate's public key (SPKI), base64. */
    pin: Type.Optional(Text),
  },
  { ...closed, minProperties: 1 },
);

const Key = Type.Object(
  {
    id: Type.String({ pattern: '^[A-Za-z0-9._-]{1,128}$' }),
    /** What the key is called in the token; its id unless told otherwise. */
    label: Type.Optional(Text),
    usages: Type.Optional(
      Type.Array(Type.Union([Type.Literal('ENCRYPT'), Type.Literal('DECRYPT')]), { maxItems: 2 }),
    ),
    /** Callers (`awsPrincipalArn`) that may use it; all when left out. */
    principals: Type.Optional(Type.Array(Text, { minItems: 1 })),
    /** Tenants and cells that the request's authenticated context must name. */
    tenants: Type.Optional(Type.Array(Text, { minItems: 1 })),
    cells: Type.Optional(Type.Array(Text, { minItems: 1 })),
  },
  closed,
);

const KeyProxyConfigSchema = Type.Object(
  {
    listen: Type.Object(
      {
        host: Text,
        port: Type.Integer({ minimum: 0, maximum: 65535 }),
        certFile: Text,
        keyFile: Text,
        /** AWS KMS and this project's cells speak TLS 1.3. */
        minVersion: Type.Optional(Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')])),
        maxVersion: Type.Optional(Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')])),
        /** Signature algorithms that certificates of clients may have (OpenSSL's names). */
        signatureAlgorithms: Type.Optional(Text),
      },
      closed,
    ),
    /** Without it anybody may connect, and only signatures tell who asks. */
    clients: Type.Optional(
      Type.Object({ caFile: Text, allow: Type.Array(Client, { minItems: 1 }) }, closed),
    ),
    token: Type.Object(
      {
        kind: Type.Literal('pkcs11'),
        library: Text,
        tokenLabel: Text,
        pinFile: Text,
        environment: Type.Optional(Type.Record(Type.String(), Type.String())),
        /** The token's share of a request's time; AWS KMS gives the whole of it 250 ms. */
        timeoutMs: Type.Optional(Type.Integer({ minimum: 10, maximum: 10_000 })),
      },
      closed,
    ),
    stores: Type.Array(
      Type.Object(
        {
          uriPathPrefix: Type.String({ pattern: '^(?:/[A-Za-z0-9/_-]{1,115})?$' }),
          credentialsFile: Text,
          requestsPerSecond: Type.Optional(Type.Integer({ minimum: 1 })),
          keys: Type.Array(Key),
        },
        closed,
      ),
      { minItems: 1, maxItems: 64 },
    ),
    log: Type.Optional(Type.Object({ file: Text }, closed)),
  },
  closed,
);
/** Who may connect: each given property must fit. */
export interface ClientConfig {
  readonly commonName?: string;
  readonly uri?: string;
  readonly pin?: string;
}

export interface KeyConfig {
  readonly id: string;
  readonly label?: string;
  readonly usages?: readonly ('ENCRYPT' | 'DECRYPT')[];
  readonly principals?: readonly string[];
  readonly tenants?: readonly string[];
  readonly cells?: readonly string[];
}

export interface StoreConfig {
  readonly uriPathPrefix: string;
  readonly credentialsFile: string;
  readonly requestsPerSecond?: number;
  readonly keys: readonly KeyConfig[];
}

/** `key-proxy.yaml`. */
export interface KeyProxyConfig {
  readonly listen: {
    readonly host: string;
    readonly port: number;
    readonly certFile: string;
    readonly keyFile: string;
    readonly minVersion?: 'TLSv1.2' | 'TLSv1.3';
    readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
    readonly signatureAlgorithms?: string;
  };
  readonly clients?: { readonly caFile: string; readonly allow: readonly ClientConfig[] };
  readonly token: {
    readonly kind: 'pkcs11';
    readonly library: string;
    readonly tokenLabel: string;
    readonly pinFile: string;
    readonly environment?: Readonly<Record<string, string>>;
    readonly timeoutMs?: number;
  };
  readonly stores: readonly StoreConfig[];
  readonly log?: { readonly file: string };
}

function refuse(file: string, problem: string): never {
  throw new KeyProxyError('KEY_PROXY_CONFIG_INVALID', `\`${file}\`: ${problem}`);
}

function readText(file: string): string {
  try {
    const text = readFileSync(file, 'utf8');
    return text.length > CONFIG_SIZE_BYTES_MAX ? refuse(file, 'is too large') : text;
  } catch (error) {
    if (error instanceof KeyProxyError) throw error;
    return refuse(file, 'cannot be read');
  }
}

/** @throws {KeyProxyError} `KEY_PROXY_CONFIG_INVALID`, naming what is wrong and where */
export function loadKeyProxyConfig(file: string): KeyProxyConfig {
  const document = parseDocument(readText(file), { uniqueKeys: true });
  const [problem] = document.errors;
  if (problem !== undefined) {
    refuse(file, `line ${problem.linePos?.[0].line ?? 1}: not valid YAML (${problem.code})`);
  }
  const tree: unknown = document.toJS({ maxAliasCount: 0 });
  if (!Value.Check(KeyProxyConfigSchema, tree)) {
    const [error] = Value.Errors(KeyProxyConfigSchema, tree);
    refuse(file, `${error?.instancePath || '/'}: ${error?.message ?? 'does not fit'}`);
  }
  const prefixes = tree.stores.map((store) => store.uriPathPrefix);
  if (new Set(prefixes).size !== prefixes.length)
    refuse(file, '/stores: a path prefix is there twice');
  for (const { uriPathPrefix, keys } of tree.stores) {
    const ids = keys.map(({ id }) => id);
    if (new Set(ids).size !== ids.length) refuse(file, `${uriPathPrefix}: a key is there twice`);
  }
  return resolvePaths(tree, path.dirname(path.resolve(file)));
}

function resolvePaths(config: KeyProxyConfig, base: string): KeyProxyConfig {
  const at = (file: string): string => path.resolve(base, file);
  const { listen, clients, token, stores, log } = config;
  return {
    listen: { ...listen, certFile: at(listen.certFile), keyFile: at(listen.keyFile) },
    ...(clients === undefined ? {} : { clients: { ...clients, caFile: at(clients.caFile) } }),
    token: { ...token, library: at(token.library), pinFile: at(token.pinFile) },
    stores: stores.map((store) => ({ ...store, credentialsFile: at(store.credentialsFile) })),
    ...(log === undefined ? {} : { log: { file: at(log.file) } }),
  };
}
