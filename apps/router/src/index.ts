// SPDX-License-Identifier: Apache-2.0
export { type ClientHello, parseClientHello } from './client-hello.ts';
export { loadRouterConfig } from './config.ts';
export { RouterError, type RouterErrorCode } from './errors.ts';
export type { FrontCounts } from './front.ts';
export { openRouter, type Router } from './router.ts';
