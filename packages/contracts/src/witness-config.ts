// SPDX-License-Identifier: Apache-2.0
// Configuration of witnesses: the `witnesses` section of `cell.yaml` (who cosigns this cell's checkpoints,
// and whose it cosigns), and `witness.yaml` of a witness that runs by itself. Keys of others are C2SP vkeys,
// pinned here; nothing that crosses the wire can add one. Unknown keys are errors.
import { type TSchema, Type } from 'typebox';
import { checkWith } from './parse-with.ts';

/** Who cosigns this cell's checkpoints. */
export type CosignerConfig =
  | {
      readonly kind: 'cell';
      /** Its address and identity stand in the bundle in force. */
      readonly cell: string;
      readonly key: string;
    }
  | {
      readonly kind: 'external';
      readonly key: string;
      /** Submission prefix: `<url>/add-checkpoint`. */
      readonly url: string;
      /** Who may sign its certificate; default the system's authorities. */
      readonly caFile?: string;
      /** A certificate of this cell for a witness that asks for one. */
      readonly certFile?: string;
      readonly keyFile?: string;
    };

/** The `witnesses` section of `cell.yaml`. */
export interface WitnessesConfig {
  /** Ed25519 key (PEM) with which this cell cosigns for others; not its ledger's key. */
  readonly keyFile?: string;
  /** Logs of other cells that this cell cosigns, as vkeys. */
  readonly logs: readonly string[];
  readonly cosigners: readonly CosignerConfig[];
  /** Cosignatures that the served checkpoint should have. */
  readonly quorum: number;
  /** Fixed cadence: it tells nothing about traffic. */
  readonly intervalMs: number;
}

/** `witness.yaml` */
export interface WitnessConfig {
  /** Name in its cosignatures: `witness.auditor.example/w1`. */
  readonly name: string;
  /** Ed25519 private key (PEM). */
  readonly keyFile: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** Absent: plain HTTP, for behind a proxy or on loopback. With `clientCaFile` clients must show theirs. */
  readonly tls?: {
    readonly certFile: string;
    readonly keyFile: string;
    readonly clientCaFile?: string;
  };
  /** Directory of what was cosigned. Made once by `bailiwick witness init`; must exist. */
  readonly state: string;
  /** Logs that are witnessed, as vkeys. */
  readonly logs: readonly string[];
  readonly limits: {
    readonly connectionsCountMax: number;
    readonly inFlightCountMax: number;
    readonly requestMsMax: number;
  };
  readonly telemetry: {
    readonly directory: string;
    readonly level: 'error' | 'warn' | 'info' | 'debug';
  };
}

const strict = { additionalProperties: false };
const Path: TSchema = Type.String({ minLength: 1, maxLength: 4096 });
const VerifierKey: TSchema = Type.String({
  pattern: '^[^+\\s]{1,255}\\+[0-9a-f]{8}\\+[A-Za-z0-9+/]{44}$',
  description: 'C2SP vkey',
});
const Count = (options: { readonly default: number; readonly maximum: number }): TSchema =>
  Type.Integer({ minimum: 1, ...options });
const Logs: TSchema = Type.Array(VerifierKey, { maxItems: 1024, uniqueItems: true });

/** Schema of the `witnesses` section. */
export const WitnessesConfigSchema: TSchema = Type.Object(
  {
    keyFile: Type.Optional(Path),
    logs: { ...Logs, default: [] },
    cosigners: Type.Array(
      Type.Union([
        Type.Object(
          {
            kind: Type.Literal('cell'),
            cell: Type.String({ minLength: 1, maxLength: 127 }),
            key: VerifierKey,
          },
          strict,
        ),
        Type.Object(
          {
            kind: Type.Literal('external'),
            key: VerifierKey,
            url: Type.String({ pattern: '^https?://[^?#\\s]+$', maxLength: 512 }),
            caFile: Type.Optional(Path),
            certFile: Type.Optional(Path),
            keyFile: Type.Optional(Path),
          },
          strict,
        ),
      ]),
      { maxItems: 16, default: [] },
    ),
    quorum: Type.Integer({ minimum: 1, maximum: 16, default: 2 }),
    intervalMs: Type.Integer({ minimum: 100, maximum: 3_600_000, default: 1000 }),
  },
  strict,
);

/** Schema of `witness.yaml`, with its defaults. */
export const WitnessConfigSchema: TSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[^+\\s]{1,255}$' }),
    keyFile: Path,
    listen: Type.Object(
      {
        host: Type.String({ minLength: 1, maxLength: 253 }),
        port: Type.Integer({ minimum: 0, maximum: 65_535 }),
      },
      strict,
    ),
    tls: Type.Optional(
      Type.Object({ certFile: Path, keyFile: Path, clientCaFile: Type.Optional(Path) }, strict),
    ),
    state: Path,
    logs: Logs,
    limits: Type.Object(
      {
        connectionsCountMax: Count({ default: 256, maximum: 65_536 }),
        inFlightCountMax: Count({ default: 64, maximum: 4096 }),
        requestMsMax: Count({ default: 10_000, maximum: 60_000 }),
      },
      { ...strict, default: {} },
    ),
    telemetry: Type.Object(
      {
        directory: Path,
        level: Type.Union(
          ['error', 'warn', 'info', 'debug'].map((level) => Type.Literal(level)),
          { default: 'info' },
        ),
      },
      strict,
    ),
  },
  { ...strict, title: 'witness.yaml', description: 'Configuration of a Bailiwick witness' },
);

/** Checks a configuration in which the defaults are filled in. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseWitnessConfig(value: unknown): WitnessConfig {
  return checkWith(WitnessConfigSchema, value, 'witness configuration') as WitnessConfig;
}
