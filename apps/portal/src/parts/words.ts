// SPDX-License-Identifier: Apache-2.0
// Values as people read them. Instants are told in the reader's own zone, with the exact one beside them.

const NUMBER = new Intl.NumberFormat('en');
const INSTANT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const THIS_YEAR = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
});
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const;

export const toCount = (count: number): string => NUMBER.format(count);

/** `1 record`, `3,935 records`. */
export const toCounted = (count: number, one: string, many = `${one}s`): string =>
  `${toCount(count)} ${count === 1 ? one : many}`;

/** Decimal units: 1 kB is 1,000 bytes. */
export function toSize(sizeBytes: number): string {
  const step = sizeBytes < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(sizeBytes) / 3));
  const value = sizeBytes / 1000 ** step;
  const digits = step === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[step]}`;
}

export function toInstant(at: string): string {
  const date = new Date(at);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return (isThisYear ? THIS_YEAR : INSTANT).format(date);
}
export const toDay = (at: string): string => DAY.format(new Date(at));

/** Names of the charter and ids of states as words: `order-fulfilment` to `order fulfilment`. */
export const toWords = (name: string): string => name.replaceAll('-', ' ');

/** With a capital at its beginning. */
export const toTitle = (name: string): string => {
  const words = toWords(name);
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const ROLES: Readonly<Record<string, string>> = {
  'tenant-admin': 'Tenant administrator',
  'security-officer': 'Security officer',
  'privacy-officer': 'Privacy officer',
  auditor: 'Auditor',
  operator: 'Operator',
};

export const toRole = (role: string): string => ROLES[role] ?? toTitle(role);

/** First and last of a long id or hash. */
export const toShort = (text: string): string =>
  text.length <= 20 ? text : `${text.slice(0, 8)}…${text.slice(-6)}`;

const PROBLEM_WORDS: Readonly<Record<string, string>> = {
  CELL_SESSION_INVALID: 'Your session has ended. Sign in again.',
  CELL_CREDENTIAL_MISSING: 'Nobody is signed in.',
  CELL_SIGN_IN_ABSENT: 'Sign-in with a browser is not set up for this organisation in this cell.',
  CELL_SIGN_IN_INVALID: 'The sign-in was not begun in this browser, or took too long. Begin again.',
  OIDC_ACCOUNT_UNMAPPED:
    'Your identity provider knows you, but none of your groups has a role here.',
  OIDC_SIGN_IN_REFUSED: 'Your identity provider did not sign you in.',
  OIDC_ISSUER_UNAVAILABLE: 'Your identity provider does not answer. Try again in a moment.',
  CELL_ROLE_FORBIDDEN: 'Your role may not do this.',
  CELL_TENANT_SUSPENDED: 'Your organisation is suspended in this cell.',
};

/** A problem in one sentence. */
export const toSentence = (code: string, title: string): string => {
  const known = PROBLEM_WORDS[code];
  if (known !== undefined) return known;
  return `${title.charAt(0).toUpperCase()}${title.slice(1)}.`;
};
