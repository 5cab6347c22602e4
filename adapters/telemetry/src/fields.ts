// SPDX-License-Identifier: Apache-2.0
// The allow-list of what a log line may carry (invariant 7). A field that is not here, or whose value
// does not look as it must, is dropped: there is nothing to redact afterwards. Free text has no field.

/** Fields of a log line. Each is an id, a number or a word of a closed set; never a value of anybody's. */
export interface LogFields {
  readonly code?: string;
  readonly status?: number;
  readonly method?: string;
  /** The route's template (`/v1/collections/:collectionId`), never the path that was asked for. */
  readonly route?: string;
  readonly requestId?: string;
  readonly tenantId?: string;
  readonly cell?: string;
  readonly component?: string;
  readonly processId?: string;
  readonly entryId?: string;
  readonly transferId?: string;
  readonly keyId?: string;
  readonly kind?: string;
  readonly outcome?: string;
  readonly state?: string;
  readonly jurisdiction?: string;
  readonly observed?: string;
  readonly serial?: number;
  readonly generation?: number;
  readonly epoch?: number;
  readonly count?: number;
  readonly attempt?: number;
  readonly line?: number;
  readonly sizeBytes?: number;
  readonly durationMs?: number;
  readonly ageMs?: number;
  readonly port?: number;
  readonly pid?: number;
  readonly hash?: string;
  /** Becomes its name, its code and where in the sources it was thrown. Its message stays out. */
  readonly error?: unknown;
}

const NUMBER = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const matching =
  (pattern: RegExp) =>
  (value: unknown): boolean =>
    typeof value === 'string' && pattern.test(value);
const UUID = matching(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const WORD = matching(/^[a-zA-Z][a-zA-Z0-9-]{0,62}$/);

type FieldName = Exclude<keyof LogFields, 'error'>;

const SHAPES: Readonly<Record<FieldName, (value: unknown) => boolean>> = {
  code: matching(/^[A-Z0-9_]{2,64}$/),
  status: NUMBER,
  method: matching(/^[A-Z]{3,7}$/),
  route: matching(/^\/[a-zA-Z0-9_.*:/-]{0,127}$/),
  requestId: UUID,
  tenantId: UUID,
  cell: matching(/^[a-z]{2}-[a-z0-9]{2,8}\/[a-z0-9-]{1,63}$/),
  component: WORD,
  processId: UUID,
  entryId: UUID,
  transferId: UUID,
  keyId: UUID,
  kind: WORD,
  outcome: WORD,
  state: WORD,
  jurisdiction: WORD,
  observed: WORD,
  serial: NUMBER,
  generation: NUMBER,
  epoch: NUMBER,
  count: NUMBER,
  attempt: NUMBER,
  line: NUMBER,
  sizeBytes: NUMBER,
  durationMs: NUMBER,
  ageMs: NUMBER,
  port: NUMBER,
  pid: NUMBER,
  hash: matching(/^[0-9a-f]{8,64}$/),
};

/** Names of all fields that a log line may carry. */
export const LOG_FIELD_NAMES: readonly string[] = Object.keys(SHAPES);

const FRAMES_COUNT_MAX = 6;
const CAUSES_COUNT_MAX = 4;
const ERROR_CODE = /^[A-Z0-9_]{2,64}$/;
const ERROR_NAME = /^[A-Za-z]{1,64}$/;
const FRAME = /^\s*at .*?((?:[\w.-]+\/){0,3}[\w.-]+:\d+):\d+\)?$/;

/** Keeps what is on the list and looks as it must. */
export function toSafeFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (name === 'error') Object.assign(safe, toErrorFields(value));
    else if (isFieldName(name) && SHAPES[name](value)) safe[name] = value;
  }
  return safe;
}

function isFieldName(name: string): name is FieldName {
  return Object.hasOwn(SHAPES, name);
}

/**
 * SECURITY: an error's message can quote input (PostgreSQL's do), so only what cannot is kept: class,
 * code and the last parts of the files in the stack.
 */
function toErrorFields(error: unknown): Record<string, unknown> {
  const names: string[] = [];
  let frames: readonly string[] = [];
  let current: unknown = error;
  for (let depth = 0; depth < CAUSES_COUNT_MAX && current instanceof Error; depth += 1) {
    const code = 'code' in current && typeof current.code === 'string' ? current.code : '';
    const name = ERROR_NAME.test(current.name) ? current.name : 'Error';
    names.push(ERROR_CODE.test(code) ? `${name}:${code}` : name);
    if (depth === 0) frames = toFrames(current);
    current = current.cause;
  }
  return names.length === 0 ? { errors: ['unknown'] } : { errors: names, frames };
}

/** SECURITY: the stack begins with the message, which may hold lines that look like frames. */
function toFrames({ stack = '', message }: Error): readonly string[] {
  const start = stack.indexOf(message);
  if (start < 0) return [];
  return stack
    .slice(start + message.length)
    .split('\n')
    .flatMap((line) => FRAME.exec(line)?.[1] ?? [])
    .slice(0, FRAMES_COUNT_MAX);
}
