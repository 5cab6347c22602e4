// SPDX-License-Identifier: Apache-2.0
// One table from code to status, and from any error to a problem document (RFC 9457).
import { type Problem, type ProblemPlace, toProblemType } from '@bailiwick/contracts';
import { ControlError, type ControlErrorCode } from './errors.ts';

const STATUS: Readonly<Record<ControlErrorCode, readonly [status: number, title: string]>> = {
  CONTROL_CONFIG_INVALID: [500, 'the configuration cannot be used'],
  CONTROL_INPUT_INVALID: [400, 'the request does not have the expected shape'],
  CONTROL_PEER_FORBIDDEN: [403, 'this identity may not do that'],
  CONTROL_ROUTE_UNKNOWN: [404, 'there is no such route'],
  CONTROL_BODY_TOO_LARGE: [413, 'the body is too large'],
  CONTROL_MEDIA_UNSUPPORTED: [415, 'the content type is not supported'],
  CONTROL_PERSONAL_DATA_REFUSED: [422, 'this looks like personal data, which has no place here'],
  CONTROL_CHARTER_INVALID: [422, 'the charter is not valid'],
  CONTROL_CHARTER_ABSENT: [404, 'there is no charter yet'],
  CONTROL_SERIAL_CONFLICT: [409, 'the serial is not the next one'],
  CONTROL_APPROVAL_INVALID: [422, 'an approval is not for this'],
  CONTROL_TERMS_INVALID: [422, 'the contract terms are not valid'],
  CONTROL_AGREEMENT_INVALID: [422, 'the agreement does not carry these terms'],
  CONTROL_TENANT_UNKNOWN: [404, 'there is no such tenant'],
  CONTROL_TENANT_EXISTS: [409, 'the tenant exists already'],
  CONTROL_HOME_INVALID: [422, 'a home does not fit its cell'],
  CONTROL_CELL_UNKNOWN: [404, 'there is no such cell'],
  CONTROL_CELL_CONFLICT: [409, 'another cell has this name or identity'],
  CONTROL_KEY_CONFLICT: [409, 'the cell has announced another key before'],
  CONTROL_MECHANISM_UNKNOWN: [404, 'the charter has no such mechanism'],
  CONTROL_ROLLOUT_UNKNOWN: [404, 'there is no such rollout'],
  CONTROL_ROLLOUT_CONFLICT: [409, 'the rollout does not allow this now'],
  CONTROL_DELIVERY_REFUSED: [422, 'the delivery was refused'],
  CONTROL_IDEMPOTENCY_KEY_MISSING: [400, 'an `Idempotency-Key` is needed'],
  CONTROL_IDEMPOTENCY_KEY_REUSED: [422, 'the `Idempotency-Key` was used with another body'],
  CONTROL_INTERNAL_FAULT: [500, 'the control plane failed inside'],
};

const FOREIGN: Readonly<Record<string, ControlErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'CONTROL_BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'CONTROL_MEDIA_UNSUPPORTED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'CONTROL_INPUT_INVALID',
  FST_ERR_CTP_INVALID_JSON_BODY: 'CONTROL_INPUT_INVALID',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'CONTROL_INPUT_INVALID',
  FST_ERR_BAD_URL: 'CONTROL_INPUT_INVALID',
  KERNEL_ID_INVALID: 'CONTROL_INPUT_INVALID',
  CONTRACT_VALUE_INVALID: 'CONTROL_INPUT_INVALID',
};

/** A code with its words. `detail` never holds a value of the input. */
function fromCode(code: ControlErrorCode, detail: string): Problem {
  const [status, title] = STATUS[code];
  return { type: toProblemType(code), title, status, detail, code };
}

function readText(value: unknown, key: string): string {
  if (typeof value !== 'object' || value === null || !(key in value)) return '';
  const text: unknown = Reflect.get(value, key);
  return typeof text === 'string' ? text : '';
}

/** Fastify's validation errors: where and what was expected. */
function toPlaces(error: Error): readonly ProblemPlace[] | undefined {
  if (!('validation' in error) || !Array.isArray(error.validation)) return undefined;
  const context = readText(error, 'validationContext');
  const prefix = context === 'body' || context === '' ? '' : `#${context}`;
  return error.validation.slice(0, 8).map((one: unknown) => ({
    pointer: `${prefix}${readText(one, 'instancePath')}`,
    detail: readText(one, 'message'),
  }));
}

/** Any error as the document a caller may see. */
export function toProblem(error: unknown): Problem {
  if (!(error instanceof Error)) return fromCode('CONTROL_INTERNAL_FAULT', '');
  if (error instanceof ControlError) {
    const problem = fromCode(error.code, STATUS[error.code][0] === 500 ? '' : error.message);
    return error.places.length === 0 ? problem : { ...problem, errors: error.places };
  }
  const places = toPlaces(error);
  if (places !== undefined) {
    return { ...fromCode('CONTROL_INPUT_INVALID', 'see `errors`'), errors: places };
  }
  const foreign = FOREIGN[readText(error, 'code')];
  // SECURITY: a foreign message may quote the input; ours does not.
  const isOurs = readText(error, 'code').startsWith('CONTRACT_');
  if (foreign !== undefined) return fromCode(foreign, isOurs ? error.message : '');
  return fromCode('CONTROL_INTERNAL_FAULT', '');
}
