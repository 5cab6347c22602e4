// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises over the whole way: cell, mTLS, SigV4, the proxy, a token. Method: the
// port's suite; the customer's acts are made at the token by another process; faults are made at the
// token, the proxy and the wire.
import type { RequestListener } from 'node:http';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openPkcs11Keys } from '@bailiwick/kms-pkcs11';
import {
  describeCustomerKeyProvider,
  type OpenedProvider,
} from '@bailiwick/testkit/suites/customer-key-provider';
import { openXksProvider } from '@bailiwick/xks';
import { openAccessLog } from './access-log.ts';
import { loadKeyProxyConfig } from './config.ts';
import type { TokenKeys } from './key-store.ts';
import { createKeyProxyServer } from './server.ts';
import { PROXY_PROBLEM, setUpTestProxy } from './testing.ts';

const TIMEOUT_MS = 2000;
const never = (): Promise<never> => new Promise(() => undefined);

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  return (address as AddressInfo).port;
}

async function open(): Promise<OpenedProvider> {
  const proxy = await setUpTestProxy('first');
  const keys = openPkcs11Keys({ library: proxy.library, ...proxy.token, timeoutMs: 3000 });
  const owner = openPkcs11Keys({ library: proxy.library, ...proxy.token, timeoutMs: 3000 });
  let twist: Partial<TokenKeys> = {};
  let answerInstead: RequestListener | undefined;
  const token: TokenKeys = {
    kind: keys.kind,
    find: (...asked) => (twist.find ?? keys.find)(...asked),
    encrypt: (...asked) => (twist.encrypt ?? keys.encrypt)(...asked),
    decrypt: (...asked) => (twist.decrypt ?? keys.decrypt)(...asked),
    probe: (question) => keys.probe(question),
    // The suite is about promises and not about this machine's speed.
    timeoutMs: TIMEOUT_MS,
  };
  const config = loadKeyProxyConfig(proxy.configFile);
  await keys.probe();
  const [store] = config.stores;
  if (store === undefined) throw new Error('no store');
  const served: { readonly id: string }[] = [];
  const log = openAccessLog(`${proxy.directory}/test.log`);
  const start = (): Server => {
    const server = createKeyProxyServer(
      { ...config, stores: [{ ...store, keys: served }] },
      { token, log },
    );
    const [handler] = server.listeners('request');
    server.removeAllListeners('request');
    server.on('request', (request, response) => {
      if (answerInstead !== undefined) answerInstead(request, response);
      else Reflect.apply(handler ?? never, server, [request, response]);
    });
    return server;
  };
  let server = start();
  const port = await listen(server, 0);
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  const provider = openXksProvider({
    url: `https://localhost:${port}`,
    uriPathPrefix: proxy.enrolment.uriPathPrefix,
    accessKeyId: proxy.enrolment.accessKeyId,
    secretFile: proxy.enrolment.secretFile,
    tls: { caFile: proxy.enrolment.caFile, pins: [proxy.enrolment.pin], ...proxy.client },
    workload: 'spiffe://bailiwick.test/key-service',
    timeoutMs: TIMEOUT_MS,
  });
  return {
    provider,
    timeoutMs: TIMEOUT_MS,
    faults: {
      async makeKey(keyId) {
        await owner.createKey(keyId);
        served.push({ id: keyId });
        await stop();
        server = start();
        await listen(server, port);
      },
      disable: (keyId) => owner.permitUses(keyId, { encrypt: false, decrypt: false }),
      enable: (keyId) => owner.permitUses(keyId, { encrypt: true, decrypt: true }),
      destroy: (keyId) => owner.destroyKey(keyId),
      rotate: (keyId) => owner.rotateKey(keyId),
      async swap(keyId) {
        await owner.destroyKey(keyId);
        await owner.createKey(keyId);
      },
      async slow() {
        twist = {
          async decrypt(...asked) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            return keys.decrypt(...asked);
          },
        };
      },
      async hang() {
        answerInstead = () => undefined;
      },
      async throttle() {
        answerInstead = (_request, response) => {
          response
            .writeHead(429, { 'retry-after': '1' })
            .end('{"errorName":"ThrottlingException"}');
        };
      },
      takeAway: stop,
      async lie() {
        twist = {
          decrypt: async (_name, { ciphertext }) => Buffer.alloc(ciphertext.length, 7),
        };
      },
      async babble() {
        const answers = ['<html>', '{}', '[]', '{"plaintext":7,"ciphertext":"!"}', '{"keySpec":1}'];
        answerInstead = (_request, response) => {
          response.writeHead(200).end(answers[Math.floor(Math.random() * answers.length)]);
        };
      },
      async recover() {
        twist = {};
        answerInstead = undefined;
        if (server.listening) return;
        server = start();
        await listen(server, port);
      },
    },
    async close() {
      await provider.close();
      if (server.listening) await stop();
      keys.close();
      owner.close();
      await log.close();
      proxy.remove();
    },
  };
}

describeCustomerKeyProvider('xks (proxy over SoftHSM)', { open, problem: PROXY_PROBLEM });
