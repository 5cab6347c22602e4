// SPDX-License-Identifier: Apache-2.0
// Where customer keys are kept, as a cell's configuration and a tenant's custody file say it. Secrets stand
// in files of their own; where a provider knows workload identities there is no secret at all.
import { type TSchema, Type } from 'typebox';
import { PublicKeySchema } from './directory.ts';
import { checkWith } from './parse-with.ts';

interface Timed {
  /** For one question, retries included; the provider's own default where left out. */
  readonly timeoutMs?: number;
}

/** One provider of customer keys. `keyName` is what it calls the key; its default is made of the key's id. */
export type KeyProviderConfig = Timed &
  (
    | { readonly kind: 'file'; readonly directory: string }
    | {
        readonly kind: 'pkcs11';
        readonly library: string;
        readonly tokenLabel: string;
        readonly pinFile: string;
        readonly environment?: Readonly<Record<string, string>>;
        /** Whether keys may be made in the token from here. */
        readonly createsKeys: boolean;
        readonly keyName?: string;
      }
    | {
        readonly kind: 'aws-kms';
        readonly region: string;
        readonly endpoint?: string;
        readonly keyName?: string;
      }
    | { readonly kind: 'gcp-kms'; readonly keyRing: string; readonly keyName?: string }
    | {
        readonly kind: 'azure-hsm';
        readonly url: string;
        readonly identity: 'workload' | 'managed';
        readonly keyName?: string;
      }
    | {
        readonly kind: 'vault';
        readonly url: string;
        readonly auth:
          | {
              readonly kind: 'jwt';
              readonly mount: string;
              readonly role: string;
              readonly jwtFile: string;
            }
          | { readonly kind: 'token-file'; readonly file: string };
        readonly mount?: string;
        readonly namespace?: string;
        readonly caFile?: string;
        readonly createsKeys: boolean;
        readonly keyName?: string;
      }
    | {
        /** The customer's own proxy (HYOK). The key service shows its own SPIFFE certificate. */
        readonly kind: 'xks';
        readonly url: string;
        readonly uriPathPrefix?: string;
        readonly accessKeyId: string;
        readonly secretFile: string;
        readonly caFile?: string;
        /** SHA-256 of the proxy's public key, base64. */
        readonly pins: readonly string[];
        readonly serverName?: string;
        readonly keyName: string;
      }
  );

/** Who must sign what cannot be undone. */
export interface KeyApprover {
  readonly name: string;
  /** Ed25519 public key, base64. */
  readonly key: string;
}

/** A tenant's custody file: what its security team and the cell's operator agreed about its keys. */
export interface CustodyConfig {
  /** By name; a name never changes its meaning while a key lies there. */
  readonly providers: Readonly<
    Record<string, KeyProviderConfig & { readonly withPlaceKey?: boolean }>
  >;
  /** Provider of the tenant's first customer key; the cell's own where left out. */
  readonly home?: string;
  readonly approvers: readonly KeyApprover[];
}

const strict = { additionalProperties: false };
const Path: TSchema = Type.String({ minLength: 1, maxLength: 4096 });
const Text: TSchema = Type.String({ minLength: 1, maxLength: 512 });
const Url: TSchema = Type.String({ pattern: '^https?://[^ ]+$', maxLength: 512 });
const KeyName: TSchema = Type.String({ pattern: '^[A-Za-z0-9._:/-]{1,256}$' });
const Timeout: TSchema = Type.Integer({ minimum: 10, maximum: 30_000 });

/** What every kind of provider may say besides its own. */
type Extra = Readonly<Record<string, TSchema>>;

function provider(kind: string, properties: Extra, extra: Extra): TSchema {
  return Type.Object(
    { kind: Type.Literal(kind), ...properties, timeoutMs: Type.Optional(Timeout), ...extra },
    strict,
  );
}

function providerUnion(extra: Extra): TSchema {
  const keyName = Type.Optional(KeyName);
  const auth = Type.Union([
    Type.Object({ kind: Type.Literal('jwt'), mount: Text, role: Text, jwtFile: Path }, strict),
    Type.Object({ kind: Type.Literal('token-file'), file: Path }, strict),
  ]);
  return Type.Union([
    provider('file', { directory: Path }, extra),
    provider(
      'pkcs11',
      {
        library: Path,
        tokenLabel: Text,
        pinFile: Path,
        environment: Type.Optional(Type.Record(Type.String(), Type.String())),
        createsKeys: Type.Boolean(),
        keyName,
      },
      extra,
    ),
    provider('aws-kms', { region: Text, endpoint: Type.Optional(Url), keyName }, extra),
    provider('gcp-kms', { keyRing: Text, keyName }, extra),
    provider(
      'azure-hsm',
      {
        url: Url,
        identity: Type.Union([Type.Literal('workload'), Type.Literal('managed')]),
        keyName,
      },
      extra,
    ),
    provider(
      'vault',
      {
        url: Url,
        auth,
        mount: Type.Optional(Text),
        namespace: Type.Optional(Text),
        caFile: Type.Optional(Path),
        createsKeys: Type.Boolean(),
        keyName,
      },
      extra,
    ),
    provider(
      'xks',
      {
        url: Url,
        uriPathPrefix: Type.Optional(Type.String({ pattern: '^(?:/[A-Za-z0-9/_-]{1,115})?$' })),
        accessKeyId: Type.String({ pattern: '^[A-Z2-7]{20,30}$' }),
        secretFile: Path,
        caFile: Type.Optional(Path),
        pins: Type.Array(PublicKeySchema, { minItems: 1, maxItems: 4 }),
        serverName: Type.Optional(Text),
        keyName: KeyName,
      },
      extra,
    ),
  ]);
}

/** Schema of the cell's own provider. */
export const KeyProviderConfigSchema: TSchema = providerUnion({});

const NAME_PATTERN = '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$';

/** Schema of a tenant's custody file. */
export const CustodyConfigSchema: TSchema = Type.Object(
  {
    providers: Type.Record(
      Type.String({ pattern: NAME_PATTERN }),
      providerUnion({ withPlaceKey: Type.Optional(Type.Boolean()) }),
      { default: {}, maxProperties: 16 },
    ),
    home: Type.Optional(Type.String({ pattern: NAME_PATTERN, maxLength: 63 })),
    approvers: Type.Array(
      Type.Object(
        { name: Type.String({ minLength: 1, maxLength: 127 }), key: PublicKeySchema },
        strict,
      ),
      { default: [], maxItems: 32 },
    ),
  },
  {
    ...strict,
    title: 'custody file',
    description: 'Providers and approvers of one tenant’s keys in one cell: <tenant id>.yaml',
  },
);

/**
 * Checks a custody file in which the defaults are filled in.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID` naming the place, also for unknown keys.
 */
export function parseCustodyConfig(value: unknown): CustodyConfig {
  return checkWith(CustodyConfigSchema, value, 'custody file') as CustodyConfig;
}
