// SPDX-License-Identifier: Apache-2.0
import { OidcError } from './errors.ts';
import { ISSUER_ANSWER_SIZE_BYTES_MAX } from './limits.ts';

/**
 * Fetches a small JSON answer: no redirects, no credentials, at most 256 KB. The issuer's answers are
 * not trusted.
 *
 * @throws {OidcError} `OIDC_ISSUER_UNAVAILABLE`, `OIDC_ISSUER_INVALID`
 */
export async function fetchBounded(
  from: typeof fetch,
  url: string,
  options: {
    readonly signal: AbortSignal;
    /** Sent as `application/x-www-form-urlencoded` by POST. */
    readonly form?: URLSearchParams;
  },
): Promise<Response> {
  let response: Response;
  try {
    response = await from(url, {
      redirect: 'error',
      signal: options.signal,
      headers: { accept: 'application/json' },
      ...(options.form === undefined ? {} : { method: 'POST', body: options.form }),
    });
  } catch (cause) {
    throw new OidcError('OIDC_ISSUER_UNAVAILABLE', 'the issuer cannot be reached', { cause });
  }
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length;
    if (sizeBytes > ISSUER_ANSWER_SIZE_BYTES_MAX) {
      throw new OidcError('OIDC_ISSUER_INVALID', "the issuer's answer is too large");
    }
    chunks.push(chunk);
  }
  return new Response(Buffer.concat(chunks), {
    status: response.status,
    headers: { 'content-type': 'application/json' },
  });
}
