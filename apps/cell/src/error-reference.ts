// SPDX-License-Identifier: Apache-2.0
// The page that documents every code a cell answers with, written from the one table that maps codes to
// statuses, so that neither can have a code that the other lacks.
import { PROBLEMS } from './problem.ts';

/** What a caller does about a status; what the code adds is in its title. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: 'mend the request; repeating it as it is gives the same answer',
  401: 'get a new token; if that is refused too, look at the account',
  403: 'ask somebody who may, or for another purpose or form; the problem names rules and nearest flow',
  404: 'look at the name or id; what other tenants have is answered in the same way',
  409: 'read what is there and decide anew',
  410: 'nothing: it is gone for good',
  412: 'read again and apply the change to what is there now',
  413: 'send less at a time',
  415: 'send one of the content types in the API’s document',
  421: 'ask the router for the home and go there',
  422: 'change what is asked for; it was understood and cannot be done',
  423: 'ask the customer: only the holder of the key can turn it on',
  428: 'send `If-Match` with the version that was read',
  429: 'wait as `Retry-After` says, then send less at a time',
  500: 'report the `instance`; the cell’s own log has it',
  503: 'wait as `Retry-After` says and repeat; writes with the same `Idempotency-Key`',
};

/** Markdown of `docs/reference/errors.md`. Fails when a status has no remedy. */
export function toErrorReference(): string {
  const rows = Object.entries(PROBLEMS)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([code, { status, title }]) => {
      const remedy = REMEDIES[status];
      if (remedy === undefined) throw new Error(`status ${status} of ${code} has no remedy`);
      return `| \`${code}\` | ${status} | ${title} | ${remedy} |`;
    });
  return [
    '# Errors of a cell',
    '',
    '<!-- Written by `npm run generate` from the table in apps/cell/src/problem.ts: change it there. -->',
    '',
    'Every error leaves as `application/problem+json` (RFC 9457) with one of these codes. Compare `code`; titles',
    'may be reworded, codes never change meaning. `instance` is the id of the request. Codes of everything else',
    'stand in [error-codes.md](error-codes.md).',
    '',
    '| code | status | what it is | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
