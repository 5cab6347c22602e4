// SPDX-License-Identifier: Apache-2.0
// Configuration of the control plane (`control.yaml`) and of the router (`router.yaml`). Secrets stand
// in files of their own and never here. Unknown keys are errors.
import { type TSchema, Type } from 'typebox';
import { HostNameSchema, PublicKeySchema } from './directory.ts';
import { checkWith } from './parse-with.ts';

/** SPIFFE X.509-SVID, its key and the trust bundle. */
export interface IdentityConfig {
  readonly certFile: string;
  readonly keyFile: string;
  readonly bundleFile: string;
}

export interface TelemetryConfig {
  readonly directory: string;
  readonly level: 'error' | 'warn' | 'info' | 'debug';
}

/** `control.yaml` */
export interface ControlConfig {
  readonly listen: { readonly host: string; readonly port: number };
  readonly identity: IdentityConfig;
  readonly database: {
    readonly urlFile: string;
    readonly poolSize: number;
  };
  /** Ed25519 private key (PEM) that signs bundles, freshness and directory entries. */
  readonly signing: { readonly keyFile: string };
  readonly directory: { readonly validForMs: number };
  readonly telemetry: TelemetryConfig;
}

/** `router.yaml` */
export interface RouterConfig {
  readonly listen: { readonly host: string; readonly port: number };
  /** The global name; discovery answers under it and nothing else does. */
  readonly name: string;
  /** Certificate of the global name. */
  readonly certificate: { readonly certFile: string; readonly keyFile: string };
  readonly identity: IdentityConfig;
  readonly control: {
    readonly url: string;
    readonly spiffeId: string;
    /** Ed25519 public keys that may sign the directory, base64; pinned. */
    readonly bundleKeys: readonly string[];
    readonly pollMs: number;
  };
  /** Directory for the last good directory. Must exist. */
  readonly state: string;
  readonly limits: {
    readonly connectionsCountMax: number;
    readonly connectionsPerSourceCountMax: number;
    readonly helloMsMax: number;
    readonly idleMsMax: number;
  };
  readonly telemetry: TelemetryConfig;
}

const strict = { additionalProperties: false };
const Path: TSchema = Type.String({ minLength: 1, maxLength: 4096 });
const Listen: TSchema = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 253 }),
    /** 0 takes any free port. */
    port: Type.Integer({ minimum: 0, maximum: 65_535 }),
  },
  strict,
);
const Identity: TSchema = Type.Object({ certFile: Path, keyFile: Path, bundleFile: Path }, strict);
const Telemetry: TSchema = Type.Object(
  {
    directory: Path,
    level: Type.Union(
      ['error', 'warn', 'info', 'debug'].map((level) => Type.Literal(level)),
      { default: 'info' },
    ),
  },
  strict,
);
const Count = (options: { readonly default: number; readonly maximum: number }): TSchema =>
  Type.Integer({ minimum: 1, ...options });

/** Schema of `control.yaml`, with its defaults. */
export const ControlConfigSchema: TSchema = Type.Object(
  {
    listen: Listen,
    identity: Identity,
    database: Type.Object({ urlFile: Path, poolSize: Count({ default: 8, maximum: 64 }) }, strict),
    signing: Type.Object({ keyFile: Path }, strict),
    directory: Type.Object(
      { validForMs: Type.Integer({ minimum: 1000, maximum: 86_400_000, default: 300_000 }) },
      { ...strict, default: {} },
    ),
    telemetry: Telemetry,
  },
  { ...strict, title: 'control.yaml', description: 'Configuration of the control plane' },
);

/** Schema of `router.yaml`, with its defaults. */
export const RouterConfigSchema: TSchema = Type.Object(
  {
    listen: Listen,
    name: HostNameSchema,
    certificate: Type.Object({ certFile: Path, keyFile: Path }, strict),
    identity: Identity,
    control: Type.Object(
      {
        url: Type.String({ pattern: '^https://[^/?#]+/?$', maxLength: 512 }),
        spiffeId: Type.String({ pattern: '^spiffe://[a-z0-9._-]{1,255}(?:/[a-zA-Z0-9._-]+)+$' }),
        bundleKeys: Type.Array(PublicKeySchema, { minItems: 1, maxItems: 8 }),
        pollMs: Type.Integer({ minimum: 10, maximum: 60_000, default: 250 }),
      },
      strict,
    ),
    state: Path,
    limits: Type.Object(
      {
        connectionsCountMax: Count({ default: 4096, maximum: 65_536 }),
        connectionsPerSourceCountMax: Count({ default: 512, maximum: 65_536 }),
        helloMsMax: Count({ default: 3000, maximum: 60_000 }),
        idleMsMax: Count({ default: 300_000, maximum: 3_600_000 }),
      },
      { ...strict, default: {} },
    ),
    telemetry: Telemetry,
  },
  { ...strict, title: 'router.yaml', description: 'Configuration of the router' },
);

/** Checks a configuration in which the defaults are filled in. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseControlConfig(value: unknown): ControlConfig {
  return checkWith(ControlConfigSchema, value, 'control configuration') as ControlConfig;
}

/** Checks a configuration in which the defaults are filled in. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseRouterConfig(value: unknown): RouterConfig {
  return checkWith(RouterConfigSchema, value, 'router configuration') as RouterConfig;
}
