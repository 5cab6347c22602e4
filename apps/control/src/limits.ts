// SPDX-License-Identifier: Apache-2.0

/** Largest request body: a charter of a million characters, escaped. */
export const BODY_SIZE_BYTES_MAX = 4_194_304;
/** Longest time that a pull waits for news, whatever the caller asks for. */
export const PULL_WAIT_MS_MAX = 20_000;
/** A pull waits at most this share of a freshness statement's life, or it would arrive stale. */
export const PULL_WAIT_SHARE = 0.25;
/** Most pulls that wait at once: cells, their replicas and routers. */
export const PULLS_COUNT_MAX = 10_000;
/** How often changes of other control processes are looked for while somebody waits. */
export const REVISION_POLL_MS = 500;
/** How long answers to idempotency keys are kept. */
export const ANSWER_KEEP_HOURS = 24;
/** Longest list in one answer. */
export const PAGE_SIZE_MAX = 500;
/** Rollouts in one list, newest first. */
export const ROLLOUTS_COUNT_MAX = 20;
