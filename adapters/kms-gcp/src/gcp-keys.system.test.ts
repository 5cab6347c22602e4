// SPDX-License-Identifier: Apache-2.0
// Goal: the provider's promises through the official SDK. Method: the port's suite against a local server
// with Cloud KMS's REST API; Google Cloud itself was not run.
import { createUuidV7, parseKeyId } from '@bailiwick/kernel';
import { createFakeClock, createSeededRandom } from '@bailiwick/testkit';
import { toFaults } from '@bailiwick/testkit/servers/faulty-server';
import { startGcpKmsServer } from '@bailiwick/testkit/servers/gcp-kms';
import { describeCustomerKeyProvider } from '@bailiwick/testkit/suites/customer-key-provider';
import { OAuth2Client } from 'google-auth-library';
import { describe, expect, it } from 'vitest';
import { openGcpKmsProvider } from './index.ts';

const TIMEOUT_MS = 1500;

function toClient(token: string): OAuth2Client {
  const client = new OAuth2Client();
  client.setCredentials({ access_token: token, expiry_date: Date.now() + 3_600_000 });
  return client;
}

describeCustomerKeyProvider('gcp-kms (official SDK, local server)', {
  async open() {
    const { server, keys, keyRing, token } = await startGcpKmsServer();
    const local = { port: server.port, authClient: toClient(token) };
    const provider = openGcpKmsProvider({ keyRing, local, timeoutMs: TIMEOUT_MS });
    return {
      provider,
      timeoutMs: TIMEOUT_MS,
      faults: toFaults(server, keys, (keyId) => `bailiwick-${keyId}`),
      async close() {
        await provider.close();
        await server.close();
      },
    };
  },
});

describe('Google Cloud KMS', () => {
  const keyId = parseKeyId(
    createUuidV7({ clock: createFakeClock(), random: createSeededRandom(5) }),
  );

  it('that does not know who asks is away and not disabled', async () => {
    const { server, keys, keyRing } = await startGcpKmsServer();
    keys.make(`bailiwick-${keyId}`);
    const local = { port: server.port, authClient: toClient('nobody') };
    const provider = openGcpKmsProvider({ keyRing, local });
    await expect(provider.findStatus(keyId)).rejects.toMatchObject({
      code: 'KEYS_PROVIDER_UNAVAILABLE',
      details: { reason: expect.stringMatching(/^(?:unauthenticated|failed)$/) },
    });
    await provider.close();
    await server.close();
  });

  it('is not opened without a full name of a key ring', () => {
    for (const keyRing of [
      '',
      'bailiwick',
      'projects/p/keyRings/r',
      'projects/p/locations/l/keyRings/r/x',
    ]) {
      expect(() => openGcpKmsProvider({ keyRing })).toThrow(/full resource name/);
    }
  });
});
