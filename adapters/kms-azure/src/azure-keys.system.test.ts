// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises through the official SDK. Method: the port's suite against a local server
// with Managed HSM's REST API, the bearer challenge included; Azure itself was not run.
import { createUuidV7, parseKeyId } from '@bailiwick/kernel';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { startAzureHsmServer } from '@bailiwick/testkit/servers/azure-hsm';
import { toFaults } from '@bailiwick/testkit/servers/faulty-server';
import { describeCustomerKeyProvider } from '@bailiwick/testkit/suites/customer-key-provider';
import { describe, expect, it } from 'vitest';
import { openAzureKeysProvider } from './index.ts';

const TIMEOUT_MS = 1500;
const toCredential = (token: string) => ({
  getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }),
});

describeCustomerKeyProvider('azure-hsm (official SDK, local server)', {
  async open() {
    const { server, url, cert, keys, token } = await startAzureHsmServer();
    const provider = openAzureKeysProvider({
      url,
      identity: 'workload',
      local: { ca: cert, credential: toCredential(token) },
      timeoutMs: TIMEOUT_MS,
    });
    return {
      provider,
      timeoutMs: TIMEOUT_MS,
      faults: toFaults(server, keys, (keyId) => `bailiwick-${keyId}`),
      close: () => server.close(),
    };
  },
});

describe('Azure Managed HSM', () => {
  const keyId = parseKeyId(
    createUuidV7({ clock: createFakeClock(), random: createSeededRandom(6) }),
  );

  it('that does not know who asks is away and not disabled', async () => {
    const { server, url, cert, keys } = await startAzureHsmServer();
    keys.make(`bailiwick-${keyId}`);
    const local = { ca: cert, credential: toCredential('nobody') };
    const provider = openAzureKeysProvider({ url, identity: 'managed', local });
    await expect(provider.findStatus(keyId)).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
      details: { reason: 'unauthenticated' },
    });
    await server.close();
  });

  it('is not opened without TLS or with a path', () => {
    for (const url of ['http://a.managedhsm.azure.net', 'https://a/keys', 'https://a/', 'a', '']) {
      expect(() => openAzureKeysProvider({ url, identity: 'managed' })).toThrow(/https/);
    }
  });
});
