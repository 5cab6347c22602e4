// SPDX-License-Identifier: Apache-2.0
// The proxy as a running thing: configuration in, port out.
import { openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import { openAccessLog } from './access-log.ts';
import type { KeyProxyConfig } from './config.ts';
import type { TokenKeys } from './key-store.ts';
import { TOKEN_HANG_MS, TOKEN_TIMEOUT_MS } from './limits.ts';
import { createKeyProxyServer } from './server.ts';

export interface RunningKeyProxy {
  readonly port: number;
  close(): Promise<void>;
}

/** Opens the token and listens. */
export async function openKeyProxy(config: KeyProxyConfig): Promise<RunningKeyProxy> {
  const { timeoutMs = TOKEN_TIMEOUT_MS } = config.token;
  const keys = openPkcs11Keys({ ...config.token, timeoutMs: Math.max(TOKEN_HANG_MS, timeoutMs) });
  const token: TokenKeys = { ...keys, timeoutMs };
  const log = openAccessLog(config.log?.file);
  const server = createKeyProxyServer(config, { token, log });
  // The first caller does not wait for the token process to start. What fails now is told when asked.
  await keys.probe().catch((error: unknown) => {
    log.say('token', { problem: error instanceof Error ? error.message : 'cannot be used' });
  });
  const { host, port } = config.listen;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  const listening = typeof address === 'object' && address !== null ? address.port : port;
  log.say('serving', { port: listening });
  return {
    port: listening,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const force = setTimeout(() => server.closeAllConnections(), 2000);
      await closed;
      clearTimeout(force);
      keys.close();
      await log.close();
    },
  };
}
