// SPDX-License-Identifier: Apache-2.0
export { type KeyProxyConfig, loadKeyProxyConfig } from './config.ts';
export { KeyProxyError, type KeyProxyErrorCode } from './errors.ts';
export { openKeyProxy, type RunningKeyProxy } from './key-proxy.ts';
export { createKeyProxyServer, type ProxyPorts } from './server.ts';
export { type Enrolment, type SetUpOptions, setUpKeyProxy } from './set-up.ts';
