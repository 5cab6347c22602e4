// SPDX-License-Identifier: Apache-2.0
// The two cookies of the portal. `__Host-` makes browsers hold them to this very host, over TLS, for all of
// it; `HttpOnly` keeps them from scripts.
import { COOKIES_LENGTH_MAX } from './limits.ts';

export const SESSION_COOKIE = '__Host-bailiwick-session';
export const SIGN_IN_COOKIE = '__Host-bailiwick-sign-in';

/** A cookie's value out of the header; nothing when it stands there twice, or the header is too long. */
export function findCookie(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header.length > COOKIES_LENGTH_MAX) return undefined;
  const values = header
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part.startsWith(`${name}=`))
    .map((part) => part.slice(name.length + 1));
  // SECURITY: two of one name are of two minds; somebody planted one.
  return values.length === 1 ? values[0] : undefined;
}

/** `Set-Cookie` of a session: sent with requests of this site only. */
export function toSessionCookie(
  value: string,
  { maxAgeMs }: { readonly maxAgeMs: number },
): string {
  return toCookie(SESSION_COOKIE, value, { maxAgeMs, sameSite: 'Strict' });
}

/**
 * `Set-Cookie` of a sign-in under way. SECURITY: `Lax`, because the provider's answer is a navigation from
 * another site; it opens nothing by itself and is sealed.
 */
export function toSignInCookie(value: string, { maxAgeMs }: { readonly maxAgeMs: number }): string {
  return toCookie(SIGN_IN_COOKIE, value, { maxAgeMs, sameSite: 'Lax' });
}

function toCookie(
  name: string,
  value: string,
  { maxAgeMs, sameSite }: { readonly maxAgeMs: number; readonly sameSite: 'Strict' | 'Lax' },
): string {
  const seconds = Math.floor(maxAgeMs / 1000);
  return `${name}=${value}; Path=/; Max-Age=${seconds}; Secure; HttpOnly; SameSite=${sameSite}`;
}
