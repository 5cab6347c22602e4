// SPDX-License-Identifier: Apache-2.0
// A cell's configuration file (`cell.yaml`), also read by its key service. Secrets stand in files of
// their own and never here. Unknown keys are errors.
import { type CellId, parseCellId } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { HostNameSchema, PublicKeySchema } from './directory.ts';
import { type KeyProviderConfig, KeyProviderConfigSchema } from './key-provider-config.ts';
import { checkWith } from './parse-with.ts';
import { type WitnessesConfig, WitnessesConfigSchema } from './witness-config.ts';

/** How the cell finds out where it stands (invariant 12). */
export type ObservedLocation =
  | { readonly kind: 'configured'; readonly jurisdiction: string }
  /** A file that the platform writes: `{"provider": "aws", "region": "eu-central-1"}`. */
  | { readonly kind: 'instance-identity'; readonly file: string };

/** Where backups go and how often. */
export interface BackupsConfig {
  readonly store: { readonly kind: 'directory'; readonly directory: string };
  /** Where the store stands and whose law reaches who runs it; default the cell's own. */
  readonly place?: { readonly jurisdiction: string; readonly operator: string };
  /** 32 bytes in base64: seals backups. A copy of it belongs in a safe of the same jurisdiction. */
  readonly keyFile: string;
  /** Database URL of the role that reads everything and writes nothing. */
  readonly urlFile: string;
  readonly everyMinutes: number;
  readonly keepDays: number;
}

/** A counsel: policies in Cedar, or an OPA server. */
export type CounselConfig =
  | { readonly kind: 'cedar'; readonly name: string; readonly file: string }
  | {
      readonly kind: 'opa';
      readonly name: string;
      /** Origin of the server. */
      readonly url: string;
      /** Of the document that decides, such as `house/allow`. */
      readonly path: string;
      /** Longest wait for one answer; default 50. */
      readonly timeoutMs?: number;
      /** How long an answer holds for the same question; default 1,000. */
      readonly answerForMs?: number;
      readonly tokenFile?: string;
      readonly caFile?: string;
    };

/** Everything a cell is told at its start; durations and sizes have their unit in the name. */
/** Traces of a process, in place. */
export interface TracesConfig {
  /** Share of the requests that bring no sampled `traceparent`: 0 to 1. */
  readonly share: number;
  /** Appends spans to `cell-traces.jsonl` in the telemetry directory. */
  readonly isFiled: boolean;
  /** A collector that speaks OTLP over HTTP, and the jurisdiction where it stands: the cell's own. */
  readonly otlp?: { readonly url: string; readonly place: string };
}

export interface CellConfig {
  readonly cell: CellId;
  readonly location: { readonly jurisdiction: string; readonly observed: ObservedLocation };
  readonly operator: { readonly jurisdiction: string; readonly name: string };
  readonly public: {
    readonly host: string;
    /** 0 takes any free port. */
    readonly port: number;
    /** Server name; its certificate is for exactly this name. Issuer and audience of tokens. */
    readonly name: string;
    readonly certFile: string;
    readonly keyFile: string;
  };
  readonly internal: { readonly host: string; readonly port: number };
  /** The web application for the tenants' people; absent: none is served and nobody signs in. */
  readonly portal?: {
    /** Where the built application lies. */
    readonly directory: string;
    /** How browsers name this cell, `https://<name>[:<port>]`; where providers send people back to. */
    readonly origin: string;
  };
  /** SPIFFE X.509-SVID of the cell, its key and the trust bundle. */
  readonly identity: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly bundleFile: string;
  };
  readonly database: {
    readonly urlFile: string;
    /** Given: the cell prepares roles and migrations itself at its start. */
    readonly ownerUrlFile?: string;
    readonly keysUrlFile: string;
    readonly poolSize: number;
  };
  readonly keyService: {
    readonly host: string;
    readonly port: number;
    /** Where customer keys lie, unless a tenant's custody file says otherwise. */
    readonly customerKeys: KeyProviderConfig;
    /** Holds a custody file (`<tenant id>.yaml`) for each tenant that has one. Must exist. */
    readonly custody?: { readonly directory: string };
    /**
     * Longest time from the start of the last successful unwrap to the last use, unless a tenant wants
     * less; 0 asks for every use.
     */
    readonly maxStalenessMs: number;
    readonly erasableStore: { readonly replicas: readonly string[] };
    /** SPIFFE identity of the key service's own process; only it reads this. */
    readonly identity?: CellConfig['identity'];
  };
  readonly control: {
    readonly url: string;
    readonly spiffeId: string;
    /** Where the control plane stands and whose law reaches it; default the cell's operator's. */
    readonly jurisdiction?: string;
    /** Ed25519 public keys that may sign bundles, base64; pinned. */
    readonly bundleKeys: readonly string[];
    /** Pause between two pulls that brought nothing. */
    readonly pollMs: number;
  };
  /** Who may approve what widens flows; pinned. */
  readonly trust: {
    readonly approvers: readonly { readonly name: string; readonly key: string }[];
    readonly threshold: number;
  };
  readonly ledger: {
    readonly keyFile: string;
    readonly epoch: number;
    /** Days that bodies of reads, decisions, refusals and the like are kept; absent: for ever. */
    readonly bodiesKeptDays?: number;
  };
  /** Other policy engines, asked after the charter has allowed; they can only take away. */
  readonly counsels?: readonly CounselConfig[];
  /** Absent: nobody cosigns this cell's checkpoints, and it cosigns nobody's. */
  readonly witnesses?: WitnessesConfig;
  /** Where exports are put for whoever fetches them, one folder a provider; absent: there are none. */
  readonly exports?: { readonly directory: string };
  /** Absent: no backups are taken, and the ledger is not copied out of the database. */
  readonly backups?: BackupsConfig;
  /** Key for access tokens, residency claims and deliveries; default `<state>/signing-key.pem`. */
  readonly signing?: { readonly keyFile: string };
  /** Directory for the last good bundle. Must exist. */
  readonly state: string;
  readonly telemetry: {
    readonly directory: string;
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    /** Absent: no traces are made. */
    readonly traces?: TracesConfig;
  };
  readonly limits: {
    readonly bodySizeBytesMax: number;
    readonly inFlightCountMax: number;
    readonly inFlightPerTenantCountMax: number;
    readonly queuePerTenantCountMax: number;
    readonly requestMsMax: number;
  };
}

const strict = { additionalProperties: false };
const Path: TSchema = Type.String({ minLength: 1, maxLength: 4096 });
const Jurisdiction: TSchema = Type.String({
  pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$',
  maxLength: 63,
});
const Host: TSchema = Type.String({ minLength: 1, maxLength: 253 });
const Port: TSchema = Type.Integer({ minimum: 0, maximum: 65_535 });
const Identity: TSchema = Type.Object({ certFile: Path, keyFile: Path, bundleFile: Path }, strict);
const Count = (options: { readonly default: number; readonly maximum: number }): TSchema =>
  Type.Integer({ minimum: 1, ...options });

/** 0, or 5 s to an hour: shorter would ask without end and promise what a lease cannot keep. */
const StalenessSchema: TSchema = Type.Integer({
  anyOf: [{ const: 0 }, { minimum: 5000 }],
  minimum: 0,
  maximum: 3_600_000,
  default: 60_000,
});

const CounselName: TSchema = Type.String({
  pattern: '^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$',
  maxLength: 63,
});
const CounselSchema: TSchema = Type.Union([
  Type.Object({ kind: Type.Literal('cedar'), name: CounselName, file: Path }, strict),
  Type.Object(
    {
      kind: Type.Literal('opa'),
      name: CounselName,
      url: Type.String({ pattern: '^https?://[^/?#]+/?$', maxLength: 512 }),
      path: Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_/-]*$', maxLength: 255 }),
      timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
      answerForMs: Type.Optional(Type.Integer({ minimum: 0, maximum: 60_000 })),
      tokenFile: Type.Optional(Path),
      caFile: Type.Optional(Path),
    },
    strict,
  ),
]);
const TracesConfigSchema: TSchema = Type.Object(
  {
    share: Type.Number({ minimum: 0, maximum: 1, default: 1 }),
    isFiled: Type.Boolean({ default: true }),
    otlp: Type.Optional(
      Type.Object(
        {
          url: Type.String({ pattern: '^https?://[^?#@]+$', maxLength: 256 }),
          place: Jurisdiction,
        },
        strict,
      ),
    ),
  },
  strict,
);

/** Schema of `cell.yaml`, with its defaults. */
export const CellConfigSchema: TSchema = Type.Object(
  {
    cell: Type.String({ pattern: '^[a-z]{2}-[a-z0-9]{2,8}(?:/[a-z][a-z0-9]*(?:-[a-z0-9]+)*)?$' }),
    location: Type.Object(
      {
        jurisdiction: Jurisdiction,
        observed: Type.Union([
          Type.Object({ kind: Type.Literal('configured'), jurisdiction: Jurisdiction }, strict),
          Type.Object({ kind: Type.Literal('instance-identity'), file: Path }, strict),
        ]),
      },
      strict,
    ),
    operator: Type.Object(
      { jurisdiction: Jurisdiction, name: Type.String({ minLength: 1, maxLength: 127 }) },
      strict,
    ),
    public: Type.Object(
      { host: Host, port: Port, name: HostNameSchema, certFile: Path, keyFile: Path },
      strict,
    ),
    internal: Type.Object({ host: Host, port: Port }, strict),
    portal: Type.Optional(
      Type.Object(
        {
          directory: Path,
          origin: Type.String({ pattern: '^https://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?$' }),
        },
        strict,
      ),
    ),
    identity: Identity,
    database: Type.Object(
      {
        urlFile: Path,
        ownerUrlFile: Type.Optional(Path),
        keysUrlFile: Path,
        poolSize: Count({ default: 16, maximum: 256 }),
      },
      strict,
    ),
    keyService: Type.Object(
      {
        host: Host,
        port: Type.Integer({ minimum: 1, maximum: 65_535 }),
        customerKeys: KeyProviderConfigSchema,
        custody: Type.Optional(Type.Object({ directory: Path }, strict)),
        maxStalenessMs: StalenessSchema,
        erasableStore: Type.Object(
          { replicas: Type.Array(Path, { minItems: 2, maxItems: 8, uniqueItems: true }) },
          strict,
        ),
        identity: Type.Optional(Identity),
      },
      strict,
    ),
    control: Type.Object(
      {
        url: Type.String({ pattern: '^https://[^/?#]+/?$', maxLength: 512 }),
        spiffeId: Type.String({ pattern: '^spiffe://[a-z0-9._-]{1,255}(?:/[a-zA-Z0-9._-]+)+$' }),
        jurisdiction: Type.Optional(Jurisdiction),
        bundleKeys: Type.Array(PublicKeySchema, { minItems: 1, maxItems: 8 }),
        pollMs: Type.Integer({ minimum: 10, maximum: 60_000, default: 250 }),
      },
      strict,
    ),
    trust: Type.Object(
      {
        approvers: Type.Array(
          Type.Object(
            { name: Type.String({ minLength: 1, maxLength: 127 }), key: PublicKeySchema },
            strict,
          ),
          { maxItems: 32 },
        ),
        threshold: Type.Integer({ minimum: 2, maximum: 16, default: 2 }),
      },
      strict,
    ),
    ledger: Type.Object(
      {
        keyFile: Path,
        epoch: Count({ default: 1, maximum: 1_000_000 }),
        bodiesKeptDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 36_500 })),
      },
      strict,
    ),
    counsels: Type.Optional(Type.Array(CounselSchema, { maxItems: 8 })),
    witnesses: Type.Optional(WitnessesConfigSchema),
    exports: Type.Optional(Type.Object({ directory: Path }, strict)),
    backups: Type.Optional(
      Type.Object(
        {
          store: Type.Object({ kind: Type.Literal('directory'), directory: Path }, strict),
          place: Type.Optional(
            Type.Object({ jurisdiction: Jurisdiction, operator: Jurisdiction }, strict),
          ),
          keyFile: Path,
          urlFile: Path,
          everyMinutes: Count({ default: 7, maximum: 10_080 }),
          keepDays: Count({ default: 35, maximum: 3_650 }),
        },
        strict,
      ),
    ),
    signing: Type.Optional(Type.Object({ keyFile: Path }, strict)),
    state: Path,
    telemetry: Type.Object(
      {
        directory: Path,
        level: Type.Union(
          ['error', 'warn', 'info', 'debug'].map((level) => Type.Literal(level)),
          { default: 'info' },
        ),
        traces: Type.Optional(TracesConfigSchema),
      },
      strict,
    ),
    limits: Type.Object(
      {
        bodySizeBytesMax: Count({ default: 1_048_576, maximum: 67_108_864 }),
        inFlightCountMax: Count({ default: 256, maximum: 65_536 }),
        inFlightPerTenantCountMax: Count({ default: 64, maximum: 65_536 }),
        queuePerTenantCountMax: Count({ default: 256, maximum: 65_536 }),
        requestMsMax: Count({ default: 30_000, maximum: 600_000 }),
      },
      { ...strict, default: {} },
    ),
  },
  { ...strict, title: 'cell.yaml', description: 'Configuration of a Bailiwick cell' },
);

/**
 * Checks a configuration in which the defaults are filled in.
 *
 * @throws {ContractError} `CONTRACT_VALUE_INVALID` naming the place, also for unknown keys.
 */
export function parseCellConfig(value: unknown): CellConfig {
  const config = checkWith(CellConfigSchema, value, 'cell configuration') as CellConfig;
  return { ...config, cell: parseCellId(config.cell) };
}
