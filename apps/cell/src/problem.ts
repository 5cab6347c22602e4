// SPDX-License-Identifier: Apache-2.0
// One table from code to status, and from any error to a problem document. A code that is not in the
// table is a bug or a failure inside: 500 without internals.
import { type Problem, type ProblemPlace, toProblemType } from '@bailiwick/contracts';
import { type DatabaseFault, findDatabaseFault } from '@bailiwick/postgres';
import { COLLECTION_PROBLEMS } from './collections/errors.ts';
import type { DenialError } from './errors.ts';
import { RECORD_PROBLEMS } from './records/errors.ts';

interface Entry {
  readonly status: number;
  readonly title: string;
}

const entry = (status: number, title: string): Entry => ({ status, title });

/** Every code that leaves a cell with its status and title. */
export const PROBLEMS: Readonly<Record<string, Entry>> = {
  ...RECORD_PROBLEMS,
  ...COLLECTION_PROBLEMS,
  CELL_INPUT_INVALID: entry(400, 'the request does not have the expected shape'),
  CELL_BODY_TOO_LARGE: entry(413, 'the body is larger than this cell accepts'),
  CELL_MEDIA_UNSUPPORTED: entry(415, 'the content type is not supported here'),
  CELL_ROUTE_UNKNOWN: entry(404, 'there is no such route'),
  CELL_NOT_FOUND: entry(404, 'there is no such resource'),
  CELL_CREDENTIAL_MISSING: entry(401, 'a bearer token is needed'),
  CELL_CREDENTIAL_INVALID: entry(401, 'the bearer token does not verify'),
  CELL_CREDENTIAL_EXPIRED: entry(401, 'the bearer token has expired'),
  CELL_SESSION_INVALID: entry(401, 'the session has ended'),
  CELL_SIGN_IN_ABSENT: entry(404, 'nobody signs in to this cell with a browser'),
  CELL_SIGN_IN_INVALID: entry(401, 'the sign-in was not begun here, or took too long'),
  CELL_REQUEST_FOREIGN: entry(403, 'the request does not come from the portal’s own page'),
  CELL_ACCOUNT_UNKNOWN: entry(401, 'the account is not known in this cell'),
  CELL_TENANT_UNKNOWN: entry(403, 'the tenant is not known in this cell'),
  CELL_TENANT_SUSPENDED: entry(403, 'the tenant is suspended'),
  CELL_SEAL_FOREIGN: entry(403, 'the value was sealed for somebody else'),
  CELL_SEAL_UNOPENED: entry(403, 'the value does not open under its seal'),
  CELL_SEAL_ERASED: entry(410, 'the value was erased for ever'),
  CELL_PURPOSE_MISSING: entry(403, 'a purpose is needed'),
  CELL_PURPOSE_FORBIDDEN: entry(403, 'the purpose is not granted to this account'),
  CELL_ROLE_FORBIDDEN: entry(403, 'the role may not do this'),
  CELL_AUTHORITY_MISMATCH: entry(421, 'authority and server name differ'),
  CELL_MISDIRECTED: entry(421, 'the home of this residency is another cell'),
  CELL_OVERLOADED: entry(429, 'too much work is waiting'),
  CELL_DEADLINE_EXCEEDED: entry(503, 'the deadline passed before an answer was ready'),
  CELL_DATABASE_UNAVAILABLE: entry(
    503,
    'the cell’s database does not answer; what was asked may or may not have been done',
  ),
  CELL_STORAGE_FULL: entry(503, 'the cell has no room left to write'),
  CELL_SHUTTING_DOWN: entry(503, 'the cell is stopping'),
  CELL_INTERNAL_FAULT: entry(500, 'the cell failed inside'),
  RESIDENCY_CLAIM_MISSING: entry(400, 'a residency claim is needed'),
  RESIDENCY_CLAIM_INVALID: entry(403, 'the residency claim does not verify for this tenant'),
  RESIDENCY_UNSUPPORTED: entry(400, 'the charter knows no such residency'),
  RESIDENCY_FORBIDDEN: entry(403, 'the residency is not one of the tenant'),
  IDEMPOTENCY_KEY_MISSING: entry(400, 'an `Idempotency-Key` is needed'),
  IDEMPOTENCY_KEY_REUSED: entry(422, 'the `Idempotency-Key` was used with another body'),
  IDEMPOTENCY_KEY_IN_FLIGHT: entry(409, 'a request with this `Idempotency-Key` is under way'),
  POLICY_FLOW_DENIED: entry(403, 'the charter does not allow this flow'),
  LAW_CHARTER_ABSENT: entry(503, 'the cell has no charter yet'),
  LAW_BUNDLE_REFUSED: entry(422, 'the bundle was refused'),
  PEER_UNREACHABLE: entry(503, 'another service does not answer'),
  PEER_FORBIDDEN: entry(403, 'the peer may not do this'),
  TRANSFER_UNKNOWN: entry(404, 'there is no such transfer'),
  TRANSFER_INVALID: entry(400, 'the transfer cannot be understood'),
  TRANSFER_UNSUPPORTED: entry(422, 'this kind of transfer is not supported'),
  TRANSFER_STATE_PASSED: entry(409, 'the transfer has gone on'),
  TRANSFER_APPROVAL_REFUSED: entry(403, 'the signature does not count for this transfer'),
  TRANSFER_FIGURES_RELEASED: entry(409, 'figures that this could be subtracted from have left'),
  DELIVERY_REFUSED: entry(422, 'the delivery was refused'),
  BACKUP_DENIED: entry(403, 'the charter allows no backup in this store'),
  BACKUP_UNDER_WAY: entry(409, 'a backup is being taken'),
  RESTORE_NOT_REPLAYED: entry(503, 'the ledger of this cell goes further than its database'),
  RESTORE_UNWITNESSED: entry(503, 'witnesses have not yet said how far the ledger goes'),
  BACKUPS_STORE_UNAVAILABLE: entry(503, 'the store of backups cannot be used'),
  BACKUPS_OBJECT_MISSING: entry(409, 'an object of the backup is not there'),
  BACKUPS_OBJECT_DAMAGED: entry(409, 'an object of the backup is not what was written'),
  BACKUPS_MANIFEST_INVALID: entry(409, 'a manifest is not one of this cell'),
  BACKUPS_POINT_MISSING: entry(404, 'there is no such backup'),
  HOLD_UNKNOWN: entry(404, 'there is no such hold'),
  ORDER_UNKNOWN: entry(404, 'there is no such order'),
  RETENTION_RUN_UNKNOWN: entry(404, 'there is no such run of retention'),
  REQUEST_UNKNOWN: entry(404, 'there is no such request of a person'),
  REQUEST_STATE_WRONG: entry(409, 'the request is not in a state for this'),
  ERASURE_UNKNOWN: entry(404, 'there is no such erasure'),
  STANDING_LIMIT_REACHED: entry(422, 'no more can be placed on this'),
  KERNEL_ID_INVALID: entry(400, 'an id does not have the expected shape'),
  KERNEL_INSTANT_INVALID: entry(400, 'an instant does not have the expected shape'),
  CONTRACT_VALUE_INVALID: entry(400, 'a value does not have the expected shape'),
  OIDC_TOKEN_INVALID: entry(401, 'the token does not verify'),
  OIDC_TOKEN_EXPIRED: entry(401, 'the token has expired'),
  OIDC_ASSERTION_REPLAYED: entry(401, 'the assertion was used before'),
  OIDC_REPLAY_GUARD_FULL: entry(503, 'too many assertions at once'),
  OIDC_ACCOUNT_UNMAPPED: entry(403, 'no group of the account means anything here'),
  OIDC_SIGN_IN_REFUSED: entry(401, 'the identity provider did not sign the person in'),
  OIDC_ISSUER_INVALID: entry(503, 'the identity provider does not answer as it must'),
  OIDC_ISSUER_UNAVAILABLE: entry(503, 'the identity provider cannot be reached'),
  LEDGER_CHECKPOINT_LATE: entry(503, 'no signed checkpoint covers the entry yet'),
  LEDGER_ENTRY_NOT_DURABLE: entry(503, 'what was done could not be put on record'),
  LEDGER_ENTRY_UNKNOWN: entry(404, 'there is no such entry'),
  LEDGER_QUEUE_FULL: entry(503, 'too much waits to be put on record'),
  LEDGER_TILE_INVALID: entry(400, 'not the path of a tile'),
  LEDGER_TILE_MISSING: entry(404, 'the log has no such tile'),
  KEYS_LEASE_EXPIRED: entry(503, 'the lease on the keys has run out'),
  KEYS_CUSTOMER_KEY_DISABLED: entry(423, 'the customer has disabled the key'),
  KEYS_CUSTOMER_KEY_UNKNOWN: entry(423, 'the provider no longer has the customer key'),
  KEYS_PROVIDER_UNAVAILABLE: entry(503, 'the provider of the customer key does not answer'),
  KEYS_PROVIDER_MISCONFIGURED: entry(503, 'the provider of the customer key is not set up'),
  KEYS_SERVICE_UNAVAILABLE: entry(503, 'the key service does not answer'),
  KEYS_SERVICE_REFUSED: entry(503, 'the key service refused'),
  KEYS_TENANT_UNKNOWN: entry(503, 'the tenant has no keys in this cell'),
  KEYS_VALUE_MALFORMED: entry(400, 'not a sealed value'),
  KEYS_SEAL_MISMATCH: entry(403, 'the seal is not the one expected'),
  KEYS_ENVELOPE_UNOPENED: entry(403, 'the value does not open under its seal'),
  KEYS_FACTS_UNVERIFIED: entry(403, 'the facts do not verify'),
  KEYS_VALUE_UNINDEXABLE: entry(400, 'the value has no normal form'),
  KEYS_CALLER_ID_INVALID: entry(400, 'the id does not have the expected shape'),
  KEYS_KEY_ERASED: entry(410, 'the key was erased for ever'),
  KEYS_KEY_UNKNOWN: entry(404, 'there is no such key'),
  KEYS_KEY_IN_USE: entry(409, 'something is still wrapped under the key'),
  KEYS_KEY_FINAL: entry(409, 'the key was disabled for good'),
  KEYS_ROTATION_RUNNING: entry(409, 'another rotation is under way'),
  KEYS_REQUEST_UNKNOWN: entry(404, 'there is no such request'),
  KEYS_REQUEST_CLOSED: entry(409, 'the request is expired, cancelled or done'),
  KEYS_APPROVAL_REFUSED: entry(403, 'this signature does not approve the request'),
  KEYS_KEY_UNREADABLE: entry(503, 'the key cannot be read'),
};

/** A problem's code with its fixed words. */
function fromCode(code: string, detail: string): Problem {
  const found = PROBLEMS[code];
  if (found === undefined) return fromCode('CELL_INTERNAL_FAULT', '');
  // SECURITY: what failed inside stays inside.
  const isOurs = found.status < 500 || found.status === 503;
  return {
    type: toProblemType(code),
    title: found.title,
    status: found.status,
    detail: isOurs ? detail : '',
    code,
  };
}

/** Any error as the document a caller may see. Never a stack, a foreign message or a value. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof Error)) return fromCode('CELL_INTERNAL_FAULT', '');
  if (isDenial(error)) return toDenialProblem(error);
  const places = toPlaces(error);
  if (places !== undefined) {
    return { ...fromCode('CELL_INPUT_INVALID', 'see `errors`'), errors: places };
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const fault = code in PROBLEMS ? undefined : findDatabaseFault(error);
  const foreign = fault === undefined ? FOREIGN_CODES[code] : FAULT_CODES[fault];
  if (foreign !== undefined) return fromCode(foreign, '');
  const problem = fromCode(code, error.message);
  if ('places' in error && Array.isArray(error.places) && error.places.length > 0) {
    return { ...problem, errors: error.places };
  }
  const home = toHome(error);
  return home === undefined ? problem : { ...problem, home };
}

const RETRY_AFTER_SECONDS_MAX = 60;

/** Seconds after which asking again may help: what the error knows, else one. */
export function toRetryAfter(error: unknown): string {
  const details = error instanceof Error && 'details' in error ? error.details : undefined;
  const isObject = typeof details === 'object' && details !== null;
  const ms: unknown = isObject ? Reflect.get(details, 'retryAfterMs') : undefined;
  if (typeof ms !== 'number' || !Number.isFinite(ms)) return '1';
  return String(Math.min(RETRY_AFTER_SECONDS_MAX, Math.max(1, Math.ceil(ms / 1000))));
}

/** True when this error is a failure inside that must be logged. */
export function isInternalFault(problem: Problem): boolean {
  return problem.status === 500;
}

const FAULT_CODES: Readonly<Record<DatabaseFault, string>> = {
  unreachable: 'CELL_DATABASE_UNAVAILABLE',
  full: 'CELL_STORAGE_FULL',
  slow: 'CELL_DEADLINE_EXCEEDED',
};

const FOREIGN_CODES: Readonly<Record<string, string>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'CELL_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'CELL_MEDIA_UNSUPPORTED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'CELL_INPUT_INVALID',
  FST_ERR_CTP_INVALID_JSON_BODY: 'CELL_INPUT_INVALID',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'CELL_INPUT_INVALID',
  FST_ERR_CTP_INVALID_TYPE: 'CELL_INPUT_INVALID',
  FST_ERR_NOT_FOUND: 'CELL_ROUTE_UNKNOWN',
  FST_ERR_HANDLER_TIMEOUT: 'CELL_DEADLINE_EXCEEDED',
  FST_ERR_BAD_URL: 'CELL_INPUT_INVALID',
};

function isDenial(error: Error): error is DenialError {
  return 'code' in error && error.code === 'POLICY_FLOW_DENIED' && 'decision' in error;
}

function toDenialProblem({ message, decision }: DenialError): Problem {
  return {
    ...fromCode('POLICY_FLOW_DENIED', message),
    ...(decision.cause === undefined ? {} : { cause: decision.cause }),
    rules: decision.rules,
    reasons: decision.reasons,
    nearest: decision.nearest,
  };
}

/** Fastify's validation errors: where and what was expected, without the value. */
function toPlaces(error: Error): readonly ProblemPlace[] | undefined {
  if (!('validation' in error) || !Array.isArray(error.validation)) return undefined;
  const context =
    'validationContext' in error && typeof error.validationContext === 'string'
      ? error.validationContext
      : 'body';
  const prefix = context === 'body' ? '' : `#${context}`;
  // Of a choice the validator tells each branch's refusal: here a place is told once, with all of them.
  const found = new Map<string, { readonly words: Set<string>; readonly details: Set<string> }>();
  for (const one of error.validation) {
    const pointer = `${prefix}${readText(one, 'instancePath')}`;
    const place = found.get(pointer) ?? { words: new Set(), details: new Set() };
    found.set(pointer, place);
    const word = readAllowedWord(one);
    if (word !== undefined) place.words.add(word);
    else place.details.add(readText(one, 'message'));
  }
  // A key that the schema does not know is the caller's own word, and could be anybody's name: its place is
  // told as the object that it stands in, by the validator's other line.
  return [...found]
    .filter(([, { details, words }]) => words.size > 0 || !isOnly(details, UNKNOWN_KEY))
    .slice(0, PLACES_COUNT_MAX)
    .map(([pointer, { words, details }]) => ({ pointer, detail: toDetail(words, details) }));
}

function isOnly(details: ReadonlySet<string>, one: string): boolean {
  return details.size === 1 && details.has(one);
}

/** The word that a branch of a choice would have taken, where it takes one. */
function readAllowedWord(problem: unknown): string | undefined {
  if (typeof problem !== 'object' || problem === null || !('params' in problem)) return undefined;
  return readText(problem.params, 'allowedValue') || undefined;
}

function toDetail(words: ReadonlySet<string>, details: ReadonlySet<string>): string {
  const others = [...details].filter((detail) => detail !== UNKNOWN_KEY && detail !== ANY_BRANCH);
  const listed = [...words].map((word) => `\`${word}\``).join(', ');
  if (listed !== '') {
    const choice = words.size === 1 ? `must be ${listed}` : `must be one of ${listed}`;
    const rest = others.filter((detail) => detail !== 'must be string');
    return [choice, ...rest].join(', or ');
  }
  return others.slice(0, DETAILS_COUNT_MAX).join(', or ') || ANY_BRANCH;
}

/** What TypeBox says of each key that a closed object does not have. */
const UNKNOWN_KEY = 'schema is false';
/** What it says of a choice as a whole. */
const ANY_BRANCH = 'must match a schema in anyOf';
const PLACES_COUNT_MAX = 8;
const DETAILS_COUNT_MAX = 4;

function readText(value: unknown, key: string): string {
  if (typeof value !== 'object' || value === null || !(key in value)) return '';
  const text: unknown = Reflect.get(value, key);
  return typeof text === 'string' ? text : '';
}

function toHome(error: Error): Problem['home'] {
  if (!('details' in error)) return undefined;
  const cell = readText(error.details, 'homeCell');
  if (cell === '') return undefined;
  const name = readText(error.details, 'homeName');
  return name === '' ? { cell } : { cell, name };
}
