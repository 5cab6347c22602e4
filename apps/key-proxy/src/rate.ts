// SPDX-License-Identifier: Apache-2.0

/** Lets `perSecond` through each second, and as many at once. */
export function createRate(perSecond: number, nowMs: () => number): () => boolean {
  let tokens = perSecond;
  let atMs = nowMs();
  return () => {
    const now = nowMs();
    tokens = Math.min(perSecond, tokens + ((now - atMs) * perSecond) / 1000);
    atMs = now;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
