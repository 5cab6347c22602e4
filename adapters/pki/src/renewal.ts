// SPDX-License-Identifier: Apache-2.0
// Renewal at half of a certificate's life, by whoever holds the authority. The processes that use the
// identity see the files change and follow.
import { readFileSync } from 'node:fs';
import type { Authority, IdentityRequest } from './authority.ts';
import { PkiError } from './errors.ts';
import type { IdentityFiles } from './identity.ts';
import { parseValidity } from './svid.ts';

/** An identity that somebody keeps alive. */
export interface RenewedIdentity {
  readonly files: IdentityFiles;
  readonly request: IdentityRequest;
}

/** How often is looked, at most. */
export const RENEWAL_CHECK_MS = 60_000;

/** True from half of a certificate's life on, and when there is none that can be read. */
export function isRenewalDue(certFile: string, nowMs: number): boolean {
  try {
    const { fromMs, untilMs } = parseValidity(readFileSync(certFile, 'utf8'));
    return nowMs >= fromMs + (untilMs - fromMs) / 2 || nowMs < fromMs;
  } catch {
    return true;
  }
}

/** Renews each identity that is due; gives how many were. */
export async function renewDue(
  authority: Authority,
  identities: readonly RenewedIdentity[],
  nowMs: number,
): Promise<number> {
  let renewedCount = 0;
  for (const { files, request } of identities) {
    if (!isRenewalDue(files.certFile, nowMs)) continue;
    await authority.issueIdentity(files, request);
    renewedCount += 1;
  }
  return renewedCount;
}

/** Looks now and then, for ever, until stopped. A failure is told and tried again at the next look. */
export function renewWhenDue(
  authority: Authority,
  identities: readonly RenewedIdentity[],
  options: { readonly checkMs?: number; readonly onProblem?: (error: PkiError) => void } = {},
): { stop(): void } {
  const { checkMs = RENEWAL_CHECK_MS, onProblem } = options;
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    renewDue(authority, identities, Date.now())
      .catch((cause: unknown) => {
        const message = 'an identity could not be renewed';
        onProblem?.(new PkiError('PKI_IDENTITY_UNREADABLE', message, { cause }));
      })
      .finally(() => {
        isRunning = false;
      });
  }, checkMs);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
