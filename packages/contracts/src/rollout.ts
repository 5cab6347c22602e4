// SPDX-License-Identifier: Apache-2.0
// Bringing a new charter out: a candidate that decides beside the law for a share of decisions, what cells
// count while it does, and the steps that lead from there. Names of the charter and counts, nothing else.
import { ACTIONS, type CellId, DATA_CLASSES } from '@bailiwick/kernel';
import { type TSchema, Type } from 'typebox';
import { CHARTER_TEXT_LENGTH_MAX, type RolloutLimits, RolloutLimitsSchema } from './bundle.ts';
import {
  CellIdSchema,
  EnvelopeSchema,
  InstantSchema,
  Sha256Schema,
  UuidSchema,
} from './directory.ts';
import { checkWith } from './parse-with.ts';

/** Five per cent, in hundredths of a per cent. */
export const CANARY_SHARE_BASIS_POINTS_DEFAULT = 500;
/** Most kinds of difference that one process tells apart; the rest only counts. */
export const DIFFERENCE_KINDS_COUNT_MAX = 64;

/** What holds where a request says nothing. */
export const ROLLOUT_LIMITS_DEFAULT: RolloutLimits = {
  errorsCountMax: 0,
  stricterBasisPointsMax: 100,
  latencyMicrosMax: 1_000,
  decidedCountMin: 100,
};

/**
 * `canary`: the first cell decides a share with both. `canary-everywhere`: all cells do. `first-cell`: the
 * new charter alone is law in the first cell. `promoted`: everywhere. `stopped` by a limit; `rolled-back` by
 * a person; either way the old charter is law under a new serial.
 */
export const ROLLOUT_PHASES = [
  'canary',
  'canary-everywhere',
  'first-cell',
  'promoted',
  'stopped',
  'rolled-back',
] as const;
export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

/** `POST /v1/rollouts` */
export interface RolloutRequest {
  readonly text: string;
  /** The serial that the text is to have: `nextSerial` of the charter's answer. */
  readonly serial: number;
  readonly firstCell: CellId;
  readonly shareBasisPoints?: number;
  readonly limits?: Partial<RolloutLimits>;
  /** Approvals of the text under `serial`; a promotion may bring them later. */
  readonly approvals?: readonly unknown[];
  /** Approvals of the present charter under `serial + 1`: the way back, signed before setting out. */
  readonly returnApprovals?: readonly unknown[];
}

/** `POST /v1/rollouts/{rolloutId}/steps` */
export interface RolloutStepRequest {
  readonly to: 'canary-everywhere' | 'first-cell' | 'promoted' | 'rolled-back';
  readonly approvals?: readonly unknown[];
}

/** A way in which both charters decided differently, and how often. */
export interface DifferenceKind {
  /** `stricter`: the candidate denies or asks more; `looser`: it would allow or ask less. */
  readonly change: 'stricter' | 'looser';
  readonly action: string;
  readonly class: string;
  /** Rules that decided, of the law and of the candidate. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  readonly count: number;
}

/** What one process of a cell has counted for one candidate since it began. */
export interface CanaryFigures {
  readonly decided: number;
  readonly stricter: number;
  readonly looser: number;
  readonly errors: number;
  /** Of the candidate alone, summed. */
  readonly latencyMicros: number;
  readonly latencyMicrosMax: number;
  readonly kinds: readonly DifferenceKind[];
}

/** `POST /v1/rollout-reports`; sent again, it replaces what this process sent before. */
export interface RolloutReport extends CanaryFigures {
  readonly v: 1;
  /** Serial of the candidate. */
  readonly serial: number;
  /** Random id of the process, new at each start. */
  readonly replica: string;
  /** The limit at which this process stopped by itself. */
  readonly stoppedBy?: RolloutStop;
}

export const ROLLOUT_STOPS = ['errors', 'stricter', 'latency'] as const;
/** Which limit a candidate met. */
export type RolloutStop = (typeof ROLLOUT_STOPS)[number];

/** What the control plane knows of a rollout. */
export interface RolloutAnswer {
  readonly rolloutId: string;
  readonly serial: number;
  readonly textHash: string;
  readonly firstCell: CellId;
  readonly phase: RolloutPhase;
  readonly shareBasisPoints: number;
  readonly limits: RolloutLimits;
  /** Serial and hash of the charter that was law when it began. */
  readonly base: { readonly serial: number; readonly textHash: string };
  readonly startedAt: string;
  readonly endedAt?: string;
  readonly stoppedBy?: RolloutStop;
  readonly figures: CanaryFigures;
  readonly cells: readonly (CanaryFigures & { readonly cell: CellId })[];
}

/**
 * The limit that figures have gone beyond, if any. The cell that counts and the control plane that sums ask
 * the same question.
 */
export function findPassedLimit(
  figures: Omit<CanaryFigures, 'kinds' | 'latencyMicrosMax'>,
  limits: RolloutLimits,
): RolloutStop | undefined {
  const { decided, stricter, errors, latencyMicros } = figures;
  if (errors > limits.errorsCountMax) return 'errors';
  if (decided < limits.decidedCountMin || decided === 0) return undefined;
  if (stricter * 10_000 > limits.stricterBasisPointsMax * decided) return 'stricter';
  return latencyMicros > limits.latencyMicrosMax * decided ? 'latency' : undefined;
}

const strict = { additionalProperties: false };
const CountSchema: TSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const BasisPointsSchema: TSchema = Type.Integer({ minimum: 0, maximum: 10_000 });
const SerialSchema: TSchema = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER });
const Approvals: TSchema = Type.Array(EnvelopeSchema, { maxItems: 16 });
const StopSchema: TSchema = Type.Union(ROLLOUT_STOPS.map((stop) => Type.Literal(stop)));
const RuleIdsSchema: TSchema = Type.Array(
  Type.String({ pattern: '^(?:terms\\.)?[a-z][a-z0-9-]*$', maxLength: 128 }),
  { maxItems: 32 },
);

/** Schema of a `RolloutRequest`. */
export const RolloutRequestSchema: TSchema = Type.Object(
  {
    text: Type.String({ minLength: 1, maxLength: CHARTER_TEXT_LENGTH_MAX }),
    serial: SerialSchema,
    firstCell: CellIdSchema,
    shareBasisPoints: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
    limits: Type.Optional(Type.Partial(RolloutLimitsSchema, strict)),
    approvals: Type.Optional(Approvals),
    returnApprovals: Type.Optional(Approvals),
  },
  strict,
);

/** Schema of a `RolloutStepRequest`. */
export const RolloutStepRequestSchema: TSchema = Type.Object(
  {
    to: Type.Union([
      Type.Literal('canary-everywhere'),
      Type.Literal('first-cell'),
      Type.Literal('promoted'),
      Type.Literal('rolled-back'),
    ]),
    approvals: Type.Optional(Approvals),
  },
  strict,
);

const figureFields = {
  decided: CountSchema,
  stricter: CountSchema,
  looser: CountSchema,
  errors: CountSchema,
  latencyMicros: CountSchema,
  latencyMicrosMax: CountSchema,
  kinds: Type.Array(
    Type.Object(
      {
        change: Type.Union([Type.Literal('stricter'), Type.Literal('looser')]),
        action: Type.Union(ACTIONS.map((action) => Type.Literal(action))),
        class: Type.Union(DATA_CLASSES.map((one) => Type.Literal(one))),
        before: RuleIdsSchema,
        after: RuleIdsSchema,
        count: CountSchema,
      },
      strict,
    ),
    { maxItems: DIFFERENCE_KINDS_COUNT_MAX },
  ),
};

/** Schema of a `RolloutReport`. */
export const RolloutReportSchema: TSchema = Type.Object(
  {
    v: Type.Literal(1),
    serial: SerialSchema,
    replica: UuidSchema,
    stoppedBy: Type.Optional(StopSchema),
    ...figureFields,
  },
  strict,
);

/** Schema of a `RolloutAnswer`. */
export const RolloutAnswerSchema: TSchema = Type.Object(
  {
    rolloutId: UuidSchema,
    serial: SerialSchema,
    textHash: Sha256Schema,
    firstCell: CellIdSchema,
    phase: Type.Union(ROLLOUT_PHASES.map((phase) => Type.Literal(phase))),
    shareBasisPoints: BasisPointsSchema,
    limits: RolloutLimitsSchema,
    base: Type.Object({ serial: SerialSchema, textHash: Sha256Schema }, strict),
    startedAt: InstantSchema,
    endedAt: Type.Optional(InstantSchema),
    stoppedBy: Type.Optional(StopSchema),
    figures: Type.Object(figureFields, strict),
    cells: Type.Array(Type.Object({ cell: CellIdSchema, ...figureFields }, strict)),
  },
  strict,
);

/** Reads a `RolloutRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseRolloutRequest(value: unknown): RolloutRequest {
  return checkWith(RolloutRequestSchema, value, 'rollout') as RolloutRequest;
}

/** Reads a `RolloutStepRequest`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseRolloutStepRequest(value: unknown): RolloutStepRequest {
  return checkWith(RolloutStepRequestSchema, value, 'step') as RolloutStepRequest;
}

/** Reads a `RolloutReport`. @throws {ContractError} `CONTRACT_VALUE_INVALID` */
export function parseRolloutReport(value: unknown): RolloutReport {
  return checkWith(RolloutReportSchema, value, 'rollout report') as RolloutReport;
}
